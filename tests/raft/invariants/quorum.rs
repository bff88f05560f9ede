//! A leader commits only what a majority of its voters holds safely, and only up to a record of its own term (Raft 5.4.2).

use mqcontainer::raft::{MemberId, Membership};

use crate::log::{Log, Record};

pub fn check<'a>(
    (term, membership): (i32, &Membership),
    last: &Record,
    log_of: impl Fn(MemberId) -> (&'a Log, i64),
) -> Result<(), String> {
    if last.term != term {
        return Err(format!("the leader of term {term} commits up to {}, of term {}", last.end, last.term));
    }
    let holds = |member: &MemberId| {
        let (log, safe) = log_of(*member);
        safe >= last.end && log.record_at(last.end).is_some_and(|record| record.chain == last.chain)
    };
    let holders: std::collections::BTreeSet<MemberId> = membership.voters.iter().copied().filter(holds).collect();
    match membership.is_quorum(&holders) {
        true => Ok(()),
        false => Err(format!(
            "up to {} is committed in term {term} and only {holders:?} of {membership:?} hold it",
            last.end
        )),
    }
}

#[test]
fn too_few_and_too_old_are_noticed() {
    let mut log = Log::default();
    let last = log.append(2, 7, 10);
    let empty = Log::default();
    let members = Membership::first([MemberId(0), MemberId(1), MemberId(2)]);
    let held_by = |count: u32, safe| {
        let (log, empty) = (&log, &empty);
        check((2, &members), &last, move |member| if member.0 < count { (log, safe) } else { (empty, 0) })
    };
    assert_eq!(held_by(2, 10), Ok(()));
    assert!(held_by(1, 10).is_err() && held_by(2, 9).is_err());
    assert!(check((3, &members), &last, |_| (&log, 10)).is_err());
}
