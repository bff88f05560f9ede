//! When the log is synced, and how far it may be relied on. Pure.
//!
//! ```text
//!   dispatched <= confirmed <= written          flushed <= written
//!   SYNC_FLUSH: confirmed = flushed             ASYNC_FLUSH: confirmed = written
//!   a member of a DLedger group: no more than what its group has committed
//! ```
//!
//! One sync runs at a time. What is appended meanwhile waits for the next one, so the batch grows with the load
//! and with the time the device takes (group commit).

use super::options::millis;
use crate::config::{Flush as Policy, FlushDiskType};
use crate::protocol::ids::{Millis, PhysicalOffset};

/// Java counts dirty bytes in pages.
const PAGE_BYTES: i64 = 4096;

/// What a group has agreed on, for a log that belongs to one.
#[derive(Clone, Copy, Debug)]
struct Agreed {
    /// No leader of the group will ever have other bytes below.
    committed: PhysicalOffset,
    /// What may be shown: all that is committed, and what was shown already when the store was opened. A directory that a master or slave
    /// has left behind shows what it showed then, although no group has agreed on it yet.
    shown: PhysicalOffset,
}

/// Positions of the log and the clock of its syncs.
#[derive(Clone, Debug)]
pub(super) struct Flush {
    policy: Policy,
    written: PhysicalOffset,
    flushed: PhysicalOffset,
    /// The sync that runs covers the log up to here.
    running: Option<PhysicalOffset>,
    last: Millis,
    last_thorough: Millis,
    /// Somebody waits for everything that is written now.
    wanted: bool,
    agreed: Option<Agreed>,
}

impl Flush {
    /// A log that is flushed up to its end.
    pub(super) fn new(policy: Policy, end: PhysicalOffset, now: Millis) -> Flush {
        Flush {
            policy,
            written: end,
            flushed: end,
            running: None,
            last: now,
            last_thorough: now,
            wanted: false,
            agreed: None,
        }
    }

    /// The log belongs to a group, which has committed so much of it at least; so much was dispatched before.
    pub(super) fn belongs_to_group(&mut self, committed: PhysicalOffset, dispatched: PhysicalOffset) {
        let committed = committed.min(self.written);
        self.agreed = Some(Agreed { committed, shown: committed.max(dispatched) });
    }

    /// The group has committed everything below; what it said before stays true. Only bytes that are here count.
    pub(super) fn commit(&mut self, to: PhysicalOffset) {
        let to = to.min(self.written);
        if let Some(agreed) = &mut self.agreed {
            agreed.committed = agreed.committed.max(to);
            agreed.shown = agreed.shown.max(to);
        }
    }

    /// What is below is never cut away; the beginning for a log that belongs to no group.
    pub(super) fn committed(&self) -> PhysicalOffset {
        self.agreed.map_or(PhysicalOffset(0), |agreed| agreed.committed)
    }

    /// Takes over new intervals; how acknowledgements wait (`flushDiskType`) stays as it was at the start.
    pub(super) fn reconfigure(&mut self, policy: Policy) {
        self.policy = Policy { disk: self.policy.disk, ..policy };
    }

    pub(super) fn written(&self) -> PhysicalOffset {
        self.written
    }

    pub(super) fn flushed(&self) -> PhysicalOffset {
        self.flushed
    }

    /// What may be dispatched and read.
    pub(super) fn confirmed(&self) -> PhysicalOffset {
        let own = match self.policy.disk {
            FlushDiskType::Sync => self.flushed,
            FlushDiskType::Async => self.written,
        };
        self.agreed.map_or(own, |agreed| agreed.shown.min(own))
    }

    pub(super) fn appended(&mut self, written: PhysicalOffset) {
        assert!(written >= self.written, "the log only grows");
        self.written = written;
    }

    /// A log without a byte begins elsewhere.
    pub(super) fn begin_at(&mut self, start: PhysicalOffset) {
        assert!(self.running.is_none() && self.flushed == self.written, "a log without a byte has nothing to sync");
        (self.written, self.flushed) = (start, start);
        // What comes before was deleted by whoever sends this: only what is committed is.
        self.commit(start);
    }

    /// The log ends here now.
    pub(super) fn cut_back(&mut self, end: PhysicalOffset) {
        assert!(self.running.is_none() && end <= self.written, "nothing is synced while the log is cut back");
        assert!(self.committed() <= end, "what a group has committed stays");
        (self.written, self.flushed) = (end, self.flushed.min(end));
        if let Some(agreed) = &mut self.agreed {
            agreed.shown = agreed.shown.min(end);
        }
        self.wanted = false;
    }

    /// Asks for a sync of all that is written, whatever the policy.
    pub(super) fn want(&mut self) {
        self.wanted = self.flushed < self.written;
    }

    /// The range to sync now.
    pub(super) fn due(&self, now: Millis) -> Option<(PhysicalOffset, PhysicalOffset)> {
        let at = self.deadline()?;
        // A clock that was set back must not stop the syncs.
        (now >= at || now < self.last).then_some((self.flushed, self.written))
    }

    /// When the next sync is due; none while one runs or when there is nothing to sync.
    pub(super) fn deadline(&self) -> Option<Millis> {
        let dirty = self.written - self.flushed;
        if self.running.is_some() || dirty == 0 {
            return None;
        }
        if self.wanted || self.policy.disk == FlushDiskType::Sync {
            return Some(Millis(0));
        }
        let thorough = self.last_thorough.plus(millis(self.policy.commit_log_thorough_interval));
        if dirty >= i64::from(self.policy.commit_log_least_pages) * PAGE_BYTES {
            return Some(thorough.min(self.last.plus(millis(self.policy.commit_log_interval))));
        }
        Some(thorough)
    }

    pub(super) fn started(&mut self, upto: PhysicalOffset, now: Millis) {
        assert!(self.running.is_none(), "one sync at a time");
        assert!(upto <= self.written, "only what is written is synced");
        self.running = Some(upto);
        self.last = now;
        self.last_thorough = now;
        self.wanted = false;
    }

    /// The sync that ran is done; returns how far the log is flushed now.
    pub(super) fn synced(&mut self) -> PhysicalOffset {
        let upto = self.running.take().unwrap_or(self.flushed);
        assert!(self.flushed <= upto && upto <= self.written, "flushed <= written");
        self.flushed = upto;
        upto
    }

    /// The sync that ran failed: nothing is known of what it covered.
    pub(super) fn failed(&mut self) {
        self.running = None;
    }

    pub(super) fn is_running(&self) -> bool {
        self.running.is_some()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn flush(disk: FlushDiskType) -> Flush {
        let policy = Policy {
            disk,
            commit_log_interval: Duration::from_millis(500),
            commit_log_least_pages: 4,
            commit_log_thorough_interval: Duration::from_secs(10),
            consume_queue_interval: Duration::from_secs(1),
            consume_queue_least_pages: 2,
            consume_queue_thorough_interval: Duration::from_secs(60),
            sync_timeout: Duration::from_secs(5),
        };
        Flush::new(policy, PhysicalOffset(100), Millis(1_000))
    }

    fn check(flush: &Flush, now: i64, due: Option<(i64, i64)>) {
        let expected = due.map(|(from, to)| (PhysicalOffset(from), PhysicalOffset(to)));
        assert_eq!(flush.due(Millis(now)), expected, "at {now}");
    }

    #[test]
    fn sync_flush_syncs_at_once_and_gathers_meanwhile() {
        let mut flush = flush(FlushDiskType::Sync);
        check(&flush, 1_000, None);
        flush.appended(PhysicalOffset(200));
        assert_eq!(flush.confirmed(), PhysicalOffset(100));
        check(&flush, 1_000, Some((100, 200)));
        flush.started(PhysicalOffset(200), Millis(1_000));
        flush.appended(PhysicalOffset(300));
        flush.appended(PhysicalOffset(400));
        check(&flush, 1_001, None);
        assert_eq!(flush.synced(), PhysicalOffset(200));
        assert_eq!(flush.confirmed(), PhysicalOffset(200));
        check(&flush, 1_001, Some((200, 400)));
    }

    #[test]
    fn async_flush_waits_for_pages_or_for_the_thorough_interval() {
        let mut flush = flush(FlushDiskType::Async);
        flush.appended(PhysicalOffset(200));
        assert_eq!(flush.confirmed(), PhysicalOffset(200));
        assert_eq!(flush.deadline(), Some(Millis(11_000)));
        check(&flush, 1_500, None);
        check(&flush, 11_000, Some((100, 200)));
        flush.appended(PhysicalOffset(100 + 4 * 4096));
        assert_eq!(flush.deadline(), Some(Millis(1_500)));
        check(&flush, 1_499, None);
        check(&flush, 1_500, Some((100, 100 + 4 * 4096)));
        check(&flush, 999, Some((100, 100 + 4 * 4096)));
    }

    #[test]
    fn a_group_shows_what_it_has_committed_and_what_was_shown_before() {
        let check = |flush: &Flush, committed: i64, confirmed: i64| {
            assert_eq!((flush.committed().0, flush.confirmed().0), (committed, confirmed));
        };
        let mut flush = flush(FlushDiskType::Async);
        flush.belongs_to_group(PhysicalOffset(40), PhysicalOffset(60));
        check(&flush, 40, 60);
        flush.appended(PhysicalOffset(300));
        flush.commit(PhysicalOffset(50));
        check(&flush, 50, 60);
        flush.commit(PhysicalOffset(200));
        check(&flush, 200, 200);
        flush.commit(PhysicalOffset(100));
        check(&flush, 200, 200);
        flush.cut_back(PhysicalOffset(250));
        flush.commit(PhysicalOffset(900));
        check(&flush, 250, 250);
    }

    #[test]
    #[should_panic(expected = "what a group has committed stays")]
    fn what_is_committed_is_never_cut() {
        let mut flush = flush(FlushDiskType::Async);
        flush.belongs_to_group(PhysicalOffset(40), PhysicalOffset(60));
        flush.cut_back(PhysicalOffset(39));
    }

    #[test]
    fn a_wanted_sync_does_not_wait() {
        let mut flush = flush(FlushDiskType::Async);
        flush.want();
        check(&flush, 1_000, None);
        flush.appended(PhysicalOffset(200));
        flush.want();
        check(&flush, 1_000, Some((100, 200)));
    }
}
