//! What a member says is on its disk (Raft figure 2, "before responding to RPCs").

use mqcontainer::raft::{Hard, MemberId, Message};

pub fn check(me: MemberId, to: MemberId, disk: &Hard, message: &Message) -> Result<(), String> {
    let voted = |term, member| disk.term > term || (disk.term == term && disk.voted_for == Some(member));
    let is_kept = match message {
        Message::VoteAnswer { term, granted: true } => voted(*term, to),
        Message::Vote { term, .. } => voted(*term, me),
        Message::HeartbeatAnswer { membership, term, .. } => disk.term >= *term && disk.membership.id >= *membership,
        Message::Heartbeat { term, membership, .. } => disk.term >= *term && disk.membership.id >= membership.id,
        _ => true,
    };
    match is_kept {
        true => Ok(()),
        false => Err(format!("{me} says {message:?} to {to}, and its disk has {disk:?}")),
    }
}

#[test]
fn a_promise_that_is_not_on_disk_is_noticed() {
    use mqcontainer::raft::Term;
    let [me, to] = [0, 1].map(MemberId);
    let disk = |term, voted_for| Hard { term: Term(term), voted_for, ..Hard::default() };
    let granted = Message::VoteAnswer { term: Term(3), granted: true };
    assert_eq!(check(me, to, &disk(3, Some(to)), &granted), Ok(()));
    assert_eq!(check(me, to, &disk(4, None), &granted), Ok(()));
    assert!(check(me, to, &disk(3, None), &granted).is_err());
    assert!(check(me, to, &disk(2, Some(to)), &granted).is_err());
}
