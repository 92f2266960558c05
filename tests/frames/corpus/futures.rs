// Async functions and blocks. Each prints how large its future is: "SIZE NAME".

use std::future::Future;
use std::mem::size_of_val;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

struct Pause(bool);

impl Future for Pause {
    type Output = u32;
    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<u32> {
        if self.0 {
            return Poll::Ready(1);
        }
        self.0 = true;
        Poll::Pending
    }
}

fn pause() -> Pause {
    Pause(false)
}

async fn nothing() {}
async fn once() -> u32 {
    pause().await
}
async fn parameter(a: u32) -> u32 {
    pause().await + a
}
async fn wide(a: u64, b: u8) -> u64 {
    pause().await as u64 + a + b as u64
}
async fn buffer(n: u8) -> u32 {
    let data = [n; 300];
    let r = pause().await;
    r + data[3] as u32
}
async fn buffer_before(n: u8) -> u32 {
    let sum: u32 = {
        let data = [n; 300];
        data.iter().map(|x| *x as u32).sum()
    };
    sum + pause().await
}
async fn two_scopes(n: u8) -> u32 {
    let mut r = 0;
    {
        let first = [n; 100];
        r += pause().await + first[1] as u32;
    }
    {
        let second = [n; 200];
        r += pause().await + second[1] as u32;
    }
    r
}
async fn in_loop(n: u32) -> u32 {
    let mut sum = 0;
    for i in 0..n {
        sum += i * pause().await;
    }
    sum
}
async fn text(given: String) -> usize {
    pause().await;
    given.len()
}
async fn text_copied(given: String) -> usize {
    let copy = given.clone();
    pause().await;
    drop(given);
    pause().await;
    copy.len()
}
async fn vector(n: u32) -> usize {
    let mut all = Vec::new();
    for _ in 0..n {
        all.push(pause().await);
    }
    all.len()
}
async fn child(n: u32) -> u32 {
    parameter(n).await
}
async fn two_children(n: u32) -> u32 {
    parameter(n).await + buffer(n as u8).await
}
async fn grandchild(n: u32) -> u32 {
    let data = [n; 10];
    two_children(data[1]).await + data[2]
}
async fn boxed_child(n: u32) -> u32 {
    let inner: Pin<Box<dyn Future<Output = u32>>> = Box::pin(grandchild(n));
    inner.await
}
async fn branches(n: u32) -> u32 {
    if n > 3 {
        let data = [n; 40];
        pause().await + data[1]
    } else {
        pause().await + once().await
    }
}
async fn matched(n: Option<u32>) -> u32 {
    match n {
        Some(x) => x + pause().await,
        None => once().await + 1,
    }
}
async fn borrowed(data: &[u8]) -> u8 {
    pause().await;
    data[0]
}
async fn fails(n: u32) -> Result<u32, String> {
    let r = pause().await;
    if r > n {
        return Err("large".to_string());
    }
    Ok(pause().await)
}
async fn asks(n: u32) -> Result<u32, String> {
    Ok(fails(n).await? + fails(n + 1).await?)
}
async fn generic<T: Clone>(one: T) -> T {
    let other = one.clone();
    pause().await;
    drop(one);
    other
}
async fn aligned(n: u128) -> u128 {
    pause().await as u128 + n
}
async fn many(n: u32) -> u32 {
    let a = pause().await + n;
    let b = pause().await + a;
    let c = pause().await + b;
    let d = pause().await + c;
    a + b + c + d
}

// Polls once, so that the code is not dropped.
fn show<F: Future>(name: &str, future: F) {
    println!("{} {}", size_of_val(&future), name);
    let mut pinned = Box::pin(future);
    let _ = pinned.as_mut().poll(&mut Context::from_waker(Waker::noop()));
}

fn main() {
    show("nothing", nothing());
    show("once", once());
    show("parameter", parameter(1));
    show("wide", wide(1, 2));
    show("buffer", buffer(1));
    show("buffer_before", buffer_before(1));
    show("two_scopes", two_scopes(1));
    show("in_loop", in_loop(1));
    show("text", text(String::new()));
    show("text_copied", text_copied(String::new()));
    show("vector", vector(1));
    show("child", child(1));
    show("two_children", two_children(1));
    show("grandchild", grandchild(1));
    show("boxed_child", boxed_child(1));
    show("branches", branches(1));
    show("matched", matched(Some(1)));
    show("borrowed", borrowed(&[1]));
    show("fails", fails(1));
    show("asks", asks(1));
    show("generic<alloc::string::String>", generic(String::new()));
    show("generic<u64>", generic(1u64));
    show("aligned", aligned(1));
    show("many", many(1));
}
