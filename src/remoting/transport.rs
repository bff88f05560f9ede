//! What all sockets of the process share: limits, budgets, identities, and how often they may log.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use super::budget::Budget;
use super::{ConnectionId, Limits};
use crate::protocol::frame::MAX_FRAME;

/// One per process; ports and clients are made from it.
#[derive(Debug)]
pub struct Transport {
    limits: Limits,
    connection_ids: AtomicU64,
    open: AtomicU64,
    /// Requests read and not answered.
    pub(super) requests: Budget,
    /// Frames that have not arrived completely.
    pub(super) partial: Budget,
    /// Bytes waiting to be written.
    pub(super) outbound: Budget,
    pub(super) complaints: Complaints,
}

impl Transport {
    /// Nothing open yet.
    ///
    /// # Panics
    /// If `partial_bytes` has no room for two frames: the longest one could then wait for ever.
    #[must_use]
    pub fn new(limits: Limits) -> Arc<Transport> {
        assert!(limits.partial_bytes >= 2 * MAX_FRAME, "partial_bytes is less than two frames");
        Arc::new(Transport {
            connection_ids: AtomicU64::new(0),
            open: AtomicU64::new(0),
            requests: Budget::new(limits.request_bytes),
            partial: Budget::new(limits.partial_bytes),
            outbound: Budget::new(limits.outbound_bytes),
            complaints: Complaints::default(),
            limits,
        })
    }

    /// The limits it was made with.
    #[must_use]
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Connections open now, both directions.
    #[must_use]
    pub fn open_connections(&self) -> u64 {
        self.open.load(Ordering::SeqCst)
    }

    /// Bytes of requests that are not answered yet.
    #[must_use]
    pub fn request_bytes(&self) -> usize {
        self.requests.used()
    }

    /// Bytes held for frames that have not arrived completely.
    #[must_use]
    pub fn partial_bytes(&self) -> usize {
        self.partial.used()
    }

    /// Bytes waiting to be written.
    #[must_use]
    pub fn outbound_bytes(&self) -> usize {
        self.outbound.used()
    }

    pub(super) fn next_connection_id(&self) -> ConnectionId {
        ConnectionId(self.connection_ids.fetch_add(1, Ordering::Relaxed) + 1)
    }

    /// Counts a connection if the limit allows one more; it counts until the permit is dropped.
    pub(super) fn admit(self: &Arc<Self>) -> Option<OpenPermit> {
        let limit = self.limits.connections;
        let admitted =
            self.open.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |open| (open < limit).then_some(open + 1));
        admitted.ok().map(|_| OpenPermit(Arc::clone(self)))
    }
}

/// One open connection.
#[derive(Debug)]
pub(super) struct OpenPermit(Arc<Transport>);

impl Drop for OpenPermit {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Log lines that peers can cause: so many per sweep of any port, the rest is counted.
#[derive(Debug, Default)]
pub(super) struct Complaints {
    written: AtomicU32,
    swallowed: AtomicU32,
}

impl Complaints {
    const PER_SWEEP: u32 = 20;

    /// Whether the line may be written.
    pub(super) fn allowed(&self) -> bool {
        let allowed = self.written.fetch_add(1, Ordering::Relaxed) < Self::PER_SWEEP;
        if !allowed {
            self.swallowed.fetch_add(1, Ordering::Relaxed);
        }
        allowed
    }

    /// A new interval begins; returns how many lines were swallowed.
    pub(super) fn begin_interval(&self) -> u32 {
        self.written.store(0, Ordering::Relaxed);
        self.swallowed.swap(0, Ordering::Relaxed)
    }
}
