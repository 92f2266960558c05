//! The workloads of bench/README.md on Tokio, and as futures joined in one task.
//!
//! ```text
//! peer_rust multi|current|joined WORKLOAD N
//! peer_rust --version tokio|futures
//! ```

mod allocations;
mod handler;
mod nested;

use std::future::Future;
use std::io::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use futures::future::{join, join_all};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::Notify;
use tokio::time::sleep;

pub const FOR_EVER: Duration = Duration::from_secs(3600);
pub const AT_ONCE: Duration = Duration::from_millis(1);
const CHURN_ALIVE: u64 = 100_000;
const CHURN_ROUND: u64 = 1_000;

static EXPECTED: AtomicU64 = AtomicU64::new(0);
static PARKED: AtomicU64 = AtomicU64::new(0);
static ALL_PARKED: Notify = Notify::const_new();
pub static CHECKSUM: AtomicU64 = AtomicU64::new(0);

/// Sleeps, and counts the tasks when they are suspended.
pub fn pause(length: Duration) -> tokio::time::Sleep {
    if length == FOR_EVER && PARKED.fetch_add(1, Ordering::Relaxed) + 1 == EXPECTED.load(Ordering::Relaxed) {
        ALL_PARKED.notify_one();
    }
    sleep(length)
}

async fn sleeper() {
    pause(FOR_EVER).await;
}

async fn look_up(i: u64) -> u64 {
    if i % 100 == 0 {
        tokio::task::yield_now().await;
    }
    i
}

async fn mostly_ready(n: u64) {
    let before = allocations::so_far();
    let start = Instant::now();
    let mut sum = 0u64;
    for i in 0..n {
        sum = sum.wrapping_add(look_up(std::hint::black_box(i)).await);
    }
    let seconds = start.elapsed().as_secs_f64();
    let (calls, bytes) = allocations::since(before);
    CHECKSUM.fetch_add(sum, Ordering::Relaxed);
    println!("seconds={seconds}\nallocations={calls}\nallocated_bytes={bytes}");
}

async fn short_task(i: u64) {
    tokio::task::yield_now().await;
    CHECKSUM.fetch_add(i, Ordering::Relaxed);
}

#[derive(Clone, Copy, PartialEq)]
enum Style {
    Spawned,
    Joined,
}

async fn churn(n: u64, style: Style) {
    let start = Instant::now();
    let mut done = 0;
    while done < n {
        let end = n.min(done + CHURN_ROUND);
        if style == Style::Joined {
            join_all((done..end).map(short_task)).await;
        } else {
            let round: Vec<_> = (done..end).map(|i| tokio::spawn(short_task(i))).collect();
            for one in round {
                one.await.unwrap();
            }
        }
        done = end;
    }
    println!("seconds={}", start.elapsed().as_secs_f64());
}

fn say_ready() {
    println!("READY");
    std::io::stdout().flush().unwrap();
}

/// Waits until all are suspended, runs what the workload does in addition, and prints READY.
async fn once_parked(workload: &str, n: u64, start: Instant, style: Style) {
    ALL_PARKED.notified().await;
    println!("spawn_seconds={}", start.elapsed().as_secs_f64());
    if workload == "churn" {
        churn(n, style).await;
    }
    say_ready();
}

/// Starts `n` tasks made by `make`, either as separate tasks or all joined in this one, and waits for their end.
async fn park<F>(workload: &str, n: u64, style: Style, make: impl Fn() -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    let tasks = if workload == "churn" { CHURN_ALIVE } else { n };
    EXPECTED.store(tasks, Ordering::Relaxed);
    let start = Instant::now();
    if style == Style::Joined {
        let all = join_all((0..tasks).map(|_| make()));
        join(all, once_parked(workload, n, start, style)).await;
    } else {
        let all: Vec<_> = (0..tasks).map(|_| tokio::spawn(make())).collect();
        once_parked(workload, n, start, style).await;
        for one in all {
            one.await.unwrap();
        }
    }
}

async fn run(workload: String, n: u64, style: Style) {
    match workload.as_str() {
        "empty" | "churn" => park(&workload, n, style, sleeper).await,
        "handler-at-read" => park(&workload, n, style, || handler::as_written(FOR_EVER, AT_ONCE)).await,
        "handler-at-query" => park(&workload, n, style, || handler::as_written(AT_ONCE, FOR_EVER)).await,
        "trimmed-at-read" => park(&workload, n, style, || handler::trimmed(FOR_EVER, AT_ONCE)).await,
        "trimmed-at-query" => park(&workload, n, style, || handler::trimmed(AT_ONCE, FOR_EVER)).await,
        "nested-at-leaf" => park(&workload, n, style, || nested::task(AT_ONCE, FOR_EVER)).await,
        "nested-at-top" => park(&workload, n, style, || nested::task(FOR_EVER, AT_ONCE)).await,
        "mostly-ready" => {
            mostly_ready(n).await;
            say_ready();
            sleep(FOR_EVER).await;
        }
        other => {
            eprintln!("there is no workload '{other}'");
            std::process::exit(2);
        }
    }
}

fn runtime(kind: &str) -> Option<(Runtime, Style)> {
    let (mut builder, style) = match kind {
        "multi" => (Builder::new_multi_thread(), Style::Spawned),
        "current" => (Builder::new_current_thread(), Style::Spawned),
        "joined" => (Builder::new_current_thread(), Style::Joined),
        _ => return None,
    };
    Some((builder.enable_time().build().unwrap(), style))
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [version, of] = arguments.as_slice() {
        if version == "--version" {
            let number = if of == "futures" { env!("PEER_FUTURES") } else { env!("PEER_TOKIO") };
            println!("{number} ({})", env!("PEER_RUSTC"));
            return;
        }
    }
    let parsed = match arguments.as_slice() {
        [kind, workload, n] => n.parse().ok().and_then(|n| Some((runtime(kind)?, workload.clone(), n))),
        _ => None,
    };
    let Some(((runtime, style), workload, n)) = parsed else {
        eprintln!("usage: peer_rust multi|current|joined WORKLOAD N");
        std::process::exit(2);
    };
    if style == Style::Spawned {
        // As a task of the runtime, because spawning from the thread of block_on is slower.
        runtime.block_on(async { tokio::spawn(run(workload, n, style)).await.unwrap() });
    } else {
        runtime.block_on(run(workload, n, style));
    }
}
