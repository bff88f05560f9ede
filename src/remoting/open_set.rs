//! The open connections of one port: who is quiet for too long, and how a port is emptied.

use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Interval, MissedTickBehavior};

use super::transport::Transport;
use super::{CloseReason, Connection, ConnectionId, Limits};

/// The connections of one port (or all outgoing ones). One timer per set: ten thousand idle connections cost one walk
/// every few seconds and no timer each.
#[derive(Debug, Default)]
pub(super) struct OpenSet {
    entries: Mutex<HashMap<ConnectionId, Entry>>,
    emptied: Notify,
}

#[derive(Debug)]
struct Entry {
    connection: Connection,
    seen: Seen,
}

/// What the last sweep saw, and for how many sweeps nothing changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Seen {
    progress: u32,
    frames: u32,
    quiet_sweeps: u32,
    frame_sweeps: u32,
}

/// What a sweep sees of one connection.
#[derive(Clone, Copy, Debug)]
struct Sight {
    progress: u32,
    frames: u32,
    in_frame: bool,
    blocked: bool,
}

/// The times of [`Limits`] in sweeps, and whether memory runs short.
#[derive(Clone, Copy, Debug)]
struct Rules {
    idle_sweeps: u32,
    slow_frame_sweeps: u32,
    partial_short: bool,
    outbound_spent: bool,
}

/// Decides on one connection after one more sweep. Pure.
fn judge(seen: Seen, now: Sight, rules: Rules) -> (Seen, Option<CloseReason>) {
    let quiet_sweeps = if now.progress == seen.progress { seen.quiet_sweeps + 1 } else { 0 };
    let same_frame = now.in_frame && now.frames == seen.frames;
    let frame_sweeps = if same_frame { seen.frame_sweeps + 1 } else { 0 };
    let after = Seen { progress: now.progress, frames: now.frames, quiet_sweeps, frame_sweeps };
    let frame_limit = if rules.partial_short { rules.slow_frame_sweeps } else { rules.idle_sweeps };
    let blocked_limit = if rules.outbound_spent { rules.slow_frame_sweeps } else { rules.idle_sweeps };
    let reason = if now.blocked && quiet_sweeps >= blocked_limit {
        Some(CloseReason::SlowPeer)
    } else if quiet_sweeps >= rules.idle_sweeps {
        Some(CloseReason::Idle)
    } else if frame_sweeps >= frame_limit {
        Some(CloseReason::SlowFrame)
    } else {
        None
    };
    (after, reason)
}

impl Rules {
    fn new(limits: &Limits, transport: &Transport) -> Rules {
        let interval = limits.sweep_interval();
        Rules {
            idle_sweeps: sweeps(limits.idle, interval),
            slow_frame_sweeps: sweeps(limits.slow_frame, interval),
            partial_short: transport.partial.is_short(),
            outbound_spent: transport.outbound.is_spent(),
        }
    }
}

/// Sweeps until `time` has certainly passed: one more than fit, as the first one may come right after the last byte.
fn sweeps(time: Duration, interval: Duration) -> u32 {
    u32::try_from(time.as_micros() / interval.as_micros().max(1)).unwrap_or(u32::MAX - 1) + 1
}

impl OpenSet {
    pub(super) fn insert(&self, connection: Connection) {
        let entry = Entry { connection, seen: Seen::default() };
        self.entries.lock().unwrap_or_else(PoisonError::into_inner).insert(entry.connection.id(), entry);
    }

    pub(super) fn remove(&self, connection: ConnectionId) {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        entries.remove(&connection);
        if entries.is_empty() {
            // The memory of a crowd is not kept for a few.
            entries.shrink_to_fit();
            self.emptied.notify_waiters();
        }
    }

    /// When to sweep. Late sweeps are not made up for: after a pause of the whole process the peers get their time too.
    pub(super) fn interval(limits: &Limits) -> Interval {
        let mut interval = tokio::time::interval(limits.sweep_interval());
        interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
        interval
    }

    /// One sweep over all connections.
    pub(super) fn sweep(&self, transport: &Transport) {
        let rules = Rules::new(transport.limits(), transport);
        let mut closing = Vec::new();
        for entry in self.entries.lock().unwrap_or_else(PoisonError::into_inner).values_mut() {
            let signs = entry.connection.signs();
            let sight = Sight {
                progress: signs.progress.load(Ordering::Relaxed),
                frames: signs.frames.load(Ordering::Relaxed),
                in_frame: signs.in_frame.load(Ordering::Relaxed),
                blocked: signs.blocked.load(Ordering::Relaxed),
            };
            let (seen, reason) = judge(entry.seen, sight, rules);
            entry.seen = seen;
            closing.extend(reason.map(|reason| (entry.connection.clone(), reason)));
        }
        for (connection, reason) in closing {
            if transport.complaints.allowed() {
                tracing::info!(remote = %connection.remote(), local = %connection.local(), reason = reason.label(), "closing connection");
            }
            connection.close_for(reason);
        }
        let swallowed = transport.complaints.begin_interval();
        if swallowed > 0 {
            tracing::warn!(swallowed, "more connections misbehaved than are logged");
        }
    }

    /// Lets every connection write its answers, at most for `limit`, then closes the rest.
    pub(super) async fn drain(&self, limit: Duration) {
        for connection in self.connections() {
            connection.drain();
        }
        if tokio::time::timeout(limit, self.empty()).await.is_err() {
            for connection in self.connections() {
                connection.close_for(CloseReason::Stopped);
            }
        }
    }

    async fn empty(&self) {
        loop {
            let emptied = self.emptied.notified();
            if self.entries.lock().unwrap_or_else(PoisonError::into_inner).is_empty() {
                return;
            }
            emptied.await;
        }
    }

    fn connections(&self) -> Vec<Connection> {
        let entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        entries.values().map(|entry| entry.connection.clone()).collect()
    }
}

/// A connection's place in its set, given back when the task ends, however it ends.
#[derive(Debug)]
pub(super) struct Member {
    set: Arc<OpenSet>,
    connection: ConnectionId,
}

impl Member {
    pub(super) fn new(set: &Arc<OpenSet>, connection: &Connection) -> Member {
        set.insert(connection.clone());
        Member { set: Arc::clone(set), connection: connection.id() }
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        self.set.remove(self.connection);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: Rules = Rules { idle_sweeps: 8, slow_frame_sweeps: 2, partial_short: false, outbound_spent: false };

    /// Sweeps the sights in order and returns the number of the sweep that closes, with its reason.
    fn check(rules: Rules, sights: impl IntoIterator<Item = Sight>, expected: Option<(usize, CloseReason)>) {
        let mut seen = Seen::default();
        let mut closed = None;
        for (number, sight) in sights.into_iter().enumerate() {
            let (after, reason) = judge(seen, sight, rules);
            seen = after;
            if closed.is_none() {
                closed = reason.map(|reason| (number + 1, reason));
            }
        }
        assert_eq!(closed, expected);
    }

    fn sight(progress: u32, frames: u32, in_frame: bool, blocked: bool) -> Sight {
        Sight { progress, frames, in_frame, blocked }
    }

    #[test]
    fn quiet_connections_close_and_busy_ones_stay() {
        check(RULES, (0..20).map(|_| sight(0, 0, false, false)), Some((8, CloseReason::Idle)));
        check(RULES, (0..20).map(|_| sight(0, 0, false, true)), Some((8, CloseReason::SlowPeer)));
        check(RULES, (1..40).map(|n| sight(n, n, n % 2 == 0, false)), None);
        check(RULES, (0..40).map(|n| sight(n / 7, 0, false, false)), None);
    }

    #[test]
    fn a_frame_that_drips_closes_after_the_idle_time_or_sooner_when_memory_is_short() {
        let dripping = || (1..40).map(|n| sight(n, 5, true, false));
        check(RULES, dripping(), Some((9, CloseReason::SlowFrame)));
        check(Rules { partial_short: true, ..RULES }, dripping(), Some((3, CloseReason::SlowFrame)));
    }

    #[test]
    fn a_peer_that_does_not_read_closes_sooner_when_memory_is_spent() {
        let stuck = || (0..40).map(|_| sight(3, 3, false, true));
        check(RULES, stuck(), Some((9, CloseReason::SlowPeer)));
        check(Rules { outbound_spent: true, ..RULES }, stuck(), Some((3, CloseReason::SlowPeer)));
    }
}
