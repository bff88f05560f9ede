//! What is committed.

use std::collections::BTreeMap;

use super::{LogEnd, MemberId, Membership, Raft};
use crate::protocol::ids::PhysicalOffset;

/// What a majority of the voters holds, the leader's own durable end counted as one of them. Learners and strangers do not count.
pub(super) fn held_by_majority(
    membership: &Membership,
    me: MemberId,
    durable: PhysicalOffset,
    matched: &BTreeMap<MemberId, PhysicalOffset>,
) -> PhysicalOffset {
    let end = |member| if member == me { durable } else { matched.get(&member).copied().unwrap_or_default() };
    membership.reached(end).unwrap_or_default()
}

/// The commit offset after a majority holds everything below `held`; `marker` is the end of the first record of the leader's term.
///
/// Bytes of older terms are committed only together with the marker (Raft 5.4.2, figure 8): a majority may hold them and a later leader may
/// still cut them. An end exactly at the epoch's start would be one of those (KAFKA-12619).
pub(super) fn advance(
    committed: PhysicalOffset,
    held: PhysicalOffset,
    marker: Option<PhysicalOffset>,
    log: LogEnd,
) -> PhysicalOffset {
    match marker {
        Some(marker) if held >= marker => committed.max(held.min(log.end)),
        _ => committed,
    }
}

impl Raft {
    /// Everything below `end` is committed.
    pub(super) fn commit(&mut self, end: PhysicalOffset) {
        self.committed = self.committed.max(end);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::raft::Term;

    fn check(own: i64, others: [i64; 2], learner: i64, held: i64) {
        let mut membership = Membership::first([MemberId(0), MemberId(1), MemberId(2)]);
        membership.learners.insert(MemberId(3));
        let matched = [others[0], others[1], learner].map(PhysicalOffset);
        let matched = (1..).map(MemberId).zip(matched).collect();
        let found = held_by_majority(&membership, MemberId(0), PhysicalOffset(own), &matched);
        assert_eq!(found, PhysicalOffset(held));
    }

    #[test]
    fn a_majority_of_voters_counts() {
        check(100, [0, 0], 100, 0);
        check(100, [60, 0], 100, 60);
        check(50, [60, 70], 100, 60);
        check(0, [60, 70], 100, 60);
    }

    fn check_advance(committed: i64, held: i64, marker: Option<i64>, end: i64, expected: i64) {
        let log = LogEnd { epoch: Term(3), end: PhysicalOffset(end) };
        let found = advance(PhysicalOffset(committed), PhysicalOffset(held), marker.map(PhysicalOffset), log);
        assert_eq!(found, PhysicalOffset(expected));
    }

    #[test]
    fn only_with_the_own_marker_and_never_back() {
        check_advance(10, 100, None, 100, 10);
        check_advance(10, 100, Some(120), 130, 10);
        check_advance(10, 119, Some(120), 130, 10);
        check_advance(10, 120, Some(120), 130, 120);
        check_advance(10, 140, Some(120), 130, 130);
        check_advance(125, 120, Some(120), 130, 125);
    }
}
