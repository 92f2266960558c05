//! Eight functions deep.

use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::{pause, CHECKSUM, FOR_EVER};

async fn level_1(value: u64, at_leaf: Duration) -> u64 {
    pause(at_leaf).await;
    value
}

macro_rules! level {
    ($name:ident, $below:ident) => {
        async fn $name(value: u64, at_leaf: Duration) -> u64 {
            value + $below(value + 1, at_leaf).await
        }
    };
}

level!(level_2, level_1);
level!(level_3, level_2);
level!(level_4, level_3);
level!(level_5, level_4);
level!(level_6, level_5);
level!(level_7, level_6);
level!(level_8, level_7);

pub async fn task(at_top: Duration, at_leaf: Duration) {
    if at_top == FOR_EVER {
        pause(at_top).await;
    }
    CHECKSUM.fetch_add(level_8(1, at_leaf).await, Ordering::Relaxed);
}
