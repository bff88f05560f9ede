//! How much peers may take.

use std::time::Duration;

/// Limits of all sockets of the process, set once at start.
///
/// "Whole process" limits are shared by every port and every outgoing connection; they exist so that the sum over
/// thousands of connections is bounded too.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Open connections, whole process; further ones are accepted and closed at once.
    pub connections: u64,
    /// Requests of one connection that are not answered yet, held long polls included; reading pauses at the limit.
    pub inflight_per_connection: u32,
    /// Bytes of requests that are not answered yet, whole process; reading pauses above it.
    pub request_bytes: usize,
    /// Bytes of frames that have not arrived completely, whole process; big frames count with their whole length and wait
    /// at the limit, and above half of it slow frames are closed. At least two frames of the greatest length. Beyond it
    /// every connection may hold the one read (64 KiB) in which a frame began: were short frames to wait for room, those
    /// that have begun could fill it and wait for each other.
    pub partial_bytes: usize,
    /// Frames waiting to be written to one peer before pushes to it are refused (answers are bounded by the requests in flight).
    pub outbox_frames: usize,
    /// Bytes waiting to be written to one peer above which nothing more is read from it.
    pub outbox_pause_bytes: usize,
    /// Bytes waiting to be written to one peer above which it is closed.
    pub outbox_bytes: usize,
    /// Bytes waiting to be written, whole process; above it peers that do not read are closed.
    pub outbound_bytes: usize,
    /// Requests to one peer that wait for its answer.
    pub calls_per_connection: usize,
    /// A connection on which no byte moves for this long is closed, and so is a frame that takes longer to arrive
    /// (`serverChannelMaxIdleTimeSeconds`).
    pub idle: Duration,
    /// When `partial_bytes` runs short: a frame that takes longer than this is closed.
    pub slow_frame: Duration,
    /// How long a stopping port waits for answers in flight.
    pub drain: Duration,
    /// Whether a connection may begin with a PROXY protocol header (v1 or v2). Java always accepts one.
    pub proxy_protocol: bool,
}

const MIB: usize = 1024 * 1024;

impl Default for Limits {
    fn default() -> Self {
        Limits {
            connections: 20_000,
            inflight_per_connection: 16_384,
            request_bytes: 512 * MIB,
            partial_bytes: 128 * MIB,
            outbox_frames: 4096,
            outbox_pause_bytes: MIB,
            outbox_bytes: 64 * MIB,
            outbound_bytes: 256 * MIB,
            calls_per_connection: 1024,
            idle: Duration::from_secs(120),
            slow_frame: Duration::from_secs(5),
            drain: Duration::from_secs(1),
            proxy_protocol: true,
        }
    }
}

impl Limits {
    /// How often connections are looked at: an eighth of the shortest time to be kept, at most 5 s.
    #[must_use]
    pub fn sweep_interval(&self) -> Duration {
        let shortest = self.idle.min(self.slow_frame.saturating_mul(8));
        (shortest / 8).clamp(Duration::from_millis(1), Duration::from_secs(5))
    }
}
