//! A number of bytes that all connections share.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::task::Waker;

use super::ConnectionId;

/// Bytes in use against a limit. Connections that must wait leave their waker and are woken when bytes come back.
#[derive(Debug)]
pub(super) struct Budget {
    used: AtomicUsize,
    limit: usize,
    somebody_waits: AtomicBool,
    /// At most one waker per connection, so bounded by the number of connections.
    waiting: Mutex<HashMap<ConnectionId, Waker>>,
}

impl Budget {
    pub(super) fn new(limit: usize) -> Budget {
        Budget { used: AtomicUsize::new(0), limit, somebody_waits: AtomicBool::new(false), waiting: Mutex::default() }
    }

    /// Takes `bytes` that are already there; may pass the limit.
    pub(super) fn take(&self, bytes: usize) {
        self.used.fetch_add(bytes, Ordering::SeqCst);
    }

    /// Takes `bytes` if they fit.
    pub(super) fn try_take(&self, bytes: usize) -> bool {
        let taken = self.used.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |used| {
            used.checked_add(bytes).filter(|sum| *sum <= self.limit)
        });
        taken.is_ok()
    }

    pub(super) fn give_back(&self, bytes: usize) {
        let before = self.used.fetch_sub(bytes, Ordering::SeqCst);
        assert!(before >= bytes, "{bytes} bytes come back, {before} were taken");
        if self.somebody_waits.load(Ordering::SeqCst) && before - bytes < self.limit {
            self.wake_all();
        }
    }

    pub(super) fn used(&self) -> usize {
        self.used.load(Ordering::SeqCst)
    }

    pub(super) fn is_spent(&self) -> bool {
        self.used() >= self.limit
    }

    pub(super) fn is_short(&self) -> bool {
        self.used() > self.limit / 2
    }

    /// Wakes the connection when bytes come back. The caller tries again after this call, so that bytes which came back
    /// in between are not missed.
    pub(super) fn wait(&self, connection: ConnectionId, waker: &Waker) {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).insert(connection, waker.clone());
        self.somebody_waits.store(true, Ordering::SeqCst);
    }

    /// A closed connection waits for nothing.
    pub(super) fn forget(&self, connection: ConnectionId) {
        if self.somebody_waits.load(Ordering::SeqCst) {
            self.waiting.lock().unwrap_or_else(PoisonError::into_inner).remove(&connection);
        }
    }

    fn wake_all(&self) {
        let waiting = {
            let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
            self.somebody_waits.store(false, Ordering::SeqCst);
            std::mem::take(&mut *waiting)
        };
        for waker in waiting.into_values() {
            waker.wake();
        }
    }
}
