//! Counts the calls of the allocator, each thread for itself.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

struct Counting;

thread_local! {
    static CALLS: Cell<u64> = const { Cell::new(0) };
    static BYTES: Cell<u64> = const { Cell::new(0) };
}

unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        CALLS.set(CALLS.get() + 1);
        BYTES.set(BYTES.get() + layout.size() as u64);
        System.alloc(layout)
    }
    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        System.dealloc(memory, layout)
    }
}

#[global_allocator]
static GLOBAL: Counting = Counting;

pub fn so_far() -> (u64, u64) {
    (CALLS.get(), BYTES.get())
}

pub fn since(before: (u64, u64)) -> (u64, u64) {
    let (calls, bytes) = so_far();
    (calls.wrapping_sub(before.0), bytes.wrapping_sub(before.1))
}
