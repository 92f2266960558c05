// Futures in boxes: suspended at two places, not begun, done, dropped, and one in another. Like told.hpp it says what
// it has suspended, "COUNT FUNCTION", then READY, and stays as it is until it is killed.

use std::future::Future;
use std::io::Write;
use std::pin::Pin;
use std::ptr;
use std::task::{Context, Poll, RawWaker, RawWakerVTable, Waker};

type Boxed = Pin<Box<dyn Future<Output = u64>>>;

struct Never;

impl Future for Never {
    type Output = ();
    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        Poll::Pending
    }
}

/// A future that no async function makes.
struct ByHand([u64; 3]);

impl Future for ByHand {
    type Output = u64;
    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<u64> {
        if self.0[1] == 0 {
            Poll::Ready(0)
        } else {
            Poll::Pending
        }
    }
}

async fn two_places(n: u64) -> u64 {
    let kept = [n; 5];
    if n % 2 == 0 {
        Never.await; // even
    }
    Never.await; // odd
    kept[3]
}

async fn generic<T: Copy>(value: T) -> T {
    Never.await;
    value
}

async fn large(n: usize) -> u64 {
    let kept = [1u8; 300_000];
    Never.await;
    kept[n] as u64
}

async fn unstarted(n: u64) -> u64 {
    Never.await;
    n
}

async fn finished(n: u64) -> u64 {
    n
}

async fn dropped(n: u64) -> u64 {
    let kept = [n; 4];
    Never.await;
    kept[2]
}

async fn dropped_small(n: u64) -> u64 {
    Never.await;
    n
}

async fn outer(inside: Boxed) -> u64 {
    middle(inside).await + 1
}

async fn middle(inside: Boxed) -> u64 {
    inside.await + 1
}

async fn leaf(n: u64) -> u64 {
    Never.await;
    n
}

static NOTHING: RawWakerVTable = RawWakerVTable::new(
    |_| RawWaker::new(ptr::null(), &NOTHING),
    |_| {},
    |_| {},
    |_| {},
);

fn poll_all(futures: &mut [Boxed]) {
    let waker = unsafe { Waker::from_raw(RawWaker::new(ptr::null(), &NOTHING)) };
    let mut context = Context::from_waker(&waker);
    for future in futures {
        let _ = future.as_mut().poll(&mut context);
    }
}

/// What a thread has made lies in a heap of its own.
fn on_a_thread(count: u64) -> Vec<Pin<Box<dyn Future<Output = u64> + Send>>> {
    let made = std::thread::spawn(move || {
        let mut made: Vec<Pin<Box<dyn Future<Output = u64> + Send>>> = Vec::new();
        for n in 0..count {
            made.push(Box::pin(generic(n)));
        }
        made
    });
    let mut made = made.join().unwrap();
    let waker = unsafe { Waker::from_raw(RawWaker::new(ptr::null(), &NOTHING)) };
    for future in &mut made {
        let _ = future.as_mut().poll(&mut Context::from_waker(&waker));
    }
    made
}

fn main() {
    let many = 10_000;
    let mut all: Vec<Boxed> = Vec::new();
    for n in 0..2 * many {
        all.push(Box::pin(two_places(n)));
        if n % 10 == 0 {
            all.push(Box::pin(ByHand([n, 1, 2])));
        }
        if n % 20 == 0 {
            all.push(Box::pin(finished(n)));
        }
        if n % 40 == 0 {
            all.push(Box::pin(outer(Box::pin(leaf(n)))));
        }
    }
    for n in 0..3 {
        all.push(Box::pin(large(n)));
    }
    poll_all(&mut all);
    for n in 0..100 {
        all.push(Box::pin(unstarted(n)));
    }
    let _sent = on_a_thread(500);
    // The boxes of these stay behind the end of the vector, and lead to what was freed.
    let kept = all.len();
    for n in 0..many / 10 {
        all.push(Box::pin(dropped(n)));
        all.push(Box::pin(dropped_small(n)));
    }
    poll_all(&mut all[kept..]);
    all.truncate(kept);

    println!("{} two_places", 2 * many);
    println!("{} ByHand", many / 5);
    println!("{} outer", many / 20);
    println!("{} leaf", many / 20);
    println!("3 large");
    println!("100 unstarted");
    println!("500 generic<u64>");
    println!("READY");
    std::io::stdout().flush().unwrap();
    loop {
        std::thread::park();
    }
}
