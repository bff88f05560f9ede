//! What happened on a port, as plain numbers that `observe` reads.

use std::sync::atomic::{AtomicU64, Ordering};

/// Why a connection ended; the closed list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CloseReason {
    /// The peer closed it.
    Peer,
    /// The operating system reported an error (reset, time-out).
    Io,
    /// No byte moved for the idle time.
    Idle,
    /// One frame took too long to arrive.
    SlowFrame,
    /// The peer does not read what is written to it.
    SlowPeer,
    /// The bytes were not a frame (also TLS or HTTP on this port).
    BadFrame,
    /// The owner of the port or of the call asked for it.
    Asked,
    /// The port stops.
    Stopped,
    /// The task of the connection panicked.
    Panicked,
}

impl CloseReason {
    /// All reasons, in the order of the counters.
    pub const ALL: [CloseReason; 9] = [
        CloseReason::Peer,
        CloseReason::Io,
        CloseReason::Idle,
        CloseReason::SlowFrame,
        CloseReason::SlowPeer,
        CloseReason::BadFrame,
        CloseReason::Asked,
        CloseReason::Stopped,
        CloseReason::Panicked,
    ];

    /// The value of the metric label.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            CloseReason::Peer => "peer",
            CloseReason::Io => "io",
            CloseReason::Idle => "idle",
            CloseReason::SlowFrame => "slow_frame",
            CloseReason::SlowPeer => "slow_peer",
            CloseReason::BadFrame => "bad_frame",
            CloseReason::Asked => "asked",
            CloseReason::Stopped => "stopped",
            CloseReason::Panicked => "panicked",
        }
    }
}

/// One port's numbers (or all outgoing connections'). They only grow, except `active`.
///
/// `frames_in / reads` and `frames_out / writes` show how well batching works.
#[derive(Debug, Default)]
pub struct Counters {
    /// Connections open now.
    pub active: AtomicU64,
    /// Connections accepted (or made).
    pub accepted: AtomicU64,
    /// Connections closed at once because of [`Limits::connections`](super::Limits::connections).
    pub refused: AtomicU64,
    /// `accept` calls that failed.
    pub accept_errors: AtomicU64,
    /// Bytes read.
    pub bytes_in: AtomicU64,
    /// Bytes written.
    pub bytes_out: AtomicU64,
    /// Frames read.
    pub frames_in: AtomicU64,
    /// Frames handed to the socket.
    pub frames_out: AtomicU64,
    /// `read` calls that returned bytes.
    pub reads: AtomicU64,
    /// `write` calls that took bytes.
    pub writes: AtomicU64,
    closed: [AtomicU64; CloseReason::ALL.len()],
}

impl Counters {
    /// Connections that ended for `reason`.
    #[must_use]
    pub fn closed(&self, reason: CloseReason) -> u64 {
        self.closed[reason as usize].load(Ordering::Relaxed)
    }

    pub(super) fn count_closed(&self, reason: CloseReason) {
        add(&self.closed[reason as usize], 1);
    }
}

/// Statistics order nothing, so `Relaxed` is enough.
pub(super) fn add(counter: &AtomicU64, amount: usize) {
    counter.fetch_add(amount as u64, Ordering::Relaxed);
}
