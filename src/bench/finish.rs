//! The end of a load that is counted instead of timed.

use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Notify;

/// Told when the last lane has done its share. Loads that only time ends never finish.
#[derive(Debug)]
pub(super) struct Finish {
    lanes: AtomicUsize,
    all: Notify,
}

impl Finish {
    /// So many lanes have work.
    pub(super) fn new(lanes: usize) -> Finish {
        Finish { lanes: AtomicUsize::new(lanes), all: Notify::new() }
    }

    /// Of one lane, once.
    pub(super) fn lane_done(&self) {
        if self.lanes.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.all.notify_one();
        }
    }

    /// Returns when all lanes are done; to one waiter, once.
    pub(super) async fn reached(&self) {
        self.all.notified().await;
    }
}
