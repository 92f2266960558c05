//! The handler of a service, twice: as people write it, and with nothing heavy alive across an await.

use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::{pause, AT_ONCE, CHECKSUM};

const REQUEST_SIZE: usize = 1024;

fn arrive(buffer: &mut [u8]) -> usize {
    buffer[..REQUEST_SIZE].fill(7);
    REQUEST_SIZE
}

/// `AsyncReadExt::read`: it needs the buffer before there is anything to read.
async fn read(buffer: &mut [u8], until_arrival: Duration) -> usize {
    pause(until_arrival).await;
    arrive(buffer)
}

/// `TcpStream::readable`
async fn readable(until_arrival: Duration) {
    pause(until_arrival).await;
}

fn key_of(request: &[u8]) -> u64 {
    request.iter().fold(0, |key: u64, byte| key.wrapping_mul(31).wrapping_add(u64::from(*byte)))
}

async fn query(key: u64, latency: Duration) -> u64 {
    pause(latency).await;
    key.wrapping_mul(31).wrapping_add(7)
}

fn build_response(row: u64, id: u8) -> Vec<u8> {
    let mut response = Vec::with_capacity(2048);
    response.push(id);
    while response.len() < 1024 {
        response.push((row >> (response.len() % 8 * 8)) as u8);
    }
    response
}

async fn write(response: &[u8]) {
    pause(AT_ONCE).await;
    CHECKSUM.fetch_add(u64::from(*response.last().unwrap()), Ordering::Relaxed);
}

pub async fn as_written(until_arrival: Duration, latency: Duration) {
    let mut request = [0u8; 4096];
    let size = read(&mut request, until_arrival).await;
    let row = query(key_of(&request[..size]), latency).await;
    let response = build_response(row, request[0]);
    write(&response).await;
}

pub async fn trimmed(until_arrival: Duration, latency: Duration) {
    readable(until_arrival).await;
    let (key, id) = {
        let mut request = [0u8; 4096]; // try_read into it: there is no await while it is alive
        let size = arrive(&mut request);
        (key_of(&request[..size]), request[0])
    };
    let row = query(key, latency).await;
    let response = build_response(row, id);
    write(&response).await;
}
