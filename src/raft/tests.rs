//! One member at a time, word for word.

use super::*;
use crate::protocol::ids::{Millis, PhysicalOffset};

const LOG: LogEnd = LogEnd { epoch: Term(2), end: PhysicalOffset(100) };

/// Member 0 of three, in term 2, at a time when it is bound to nobody.
fn member() -> Raft {
    let membership = Membership::first([MemberId(0), MemberId(1), MemberId(2)]);
    let hard = Hard { term: Term(2), voted_for: None, membership };
    Raft::new(Options::default(), MemberId(0), hard, PhysicalOffset(0), Millis(-10_000), 1)
}

fn turn(raft: &mut Raft, now: i64, event: Event) -> Vec<Action> {
    let mut actions = Vec::new();
    raft.handle(Millis(now), event, LOG, &mut actions);
    actions
}

/// What it answers another member, all that must be saved saved.
fn answers(raft: &mut Raft, now: i64, from: u32, message: Message) -> Vec<Message> {
    let mut waiting = vec![Event::Message { from: MemberId(from), message }];
    let mut answers = Vec::new();
    while let Some(event) = waiting.pop() {
        for action in turn(raft, now, event) {
            match action {
                Action::Save { hard } => waiting.push(Event::Saved { hard }),
                Action::Send { to, message } if to == MemberId(from) => answers.push(message),
                _ => {}
            }
        }
    }
    answers
}

fn vote(term: i32, epoch: i32, end: i64, takes_over: bool) -> Message {
    let log = LogEnd { epoch: Term(epoch), end: PhysicalOffset(end) };
    Message::Vote { term: Term(term), log, membership: member().membership().clone(), takes_over }
}

fn heartbeat(term: i32, committed: i64) -> Message {
    let membership = member().membership().clone();
    Message::Heartbeat { term: Term(term), sent: Millis(7), committed: PhysicalOffset(committed), membership }
}

fn vote_answer(term: i32, granted: bool) -> Vec<Message> {
    vec![Message::VoteAnswer { term: Term(term), granted }]
}

#[test]
fn a_vote_goes_to_a_log_that_is_as_good() {
    let check = |message: Message, expected: Vec<Message>| {
        assert_eq!(answers(&mut member(), 0, 1, message.clone()), expected, "{message:?}");
    };
    check(vote(3, 2, 100, false), vote_answer(3, true));
    check(vote(3, 3, 10, false), vote_answer(3, true));
    check(vote(3, 2, 99, false), vote_answer(3, false));
    check(vote(3, 1, 900, false), vote_answer(3, false));
    check(vote(2, 2, 100, false), vote_answer(2, true));
    check(vote(1, 2, 100, false), vote_answer(2, false));
    check(vote(i32::MAX, 2, 100, false), vec![]);
}

#[test]
fn a_vote_is_given_once_in_a_term() {
    let mut raft = member();
    assert_eq!(answers(&mut raft, 0, 1, vote(3, 2, 100, false)), vote_answer(3, true));
    assert_eq!(answers(&mut raft, 0, 2, vote(3, 2, 900, false)), vote_answer(3, false));
    assert_eq!(answers(&mut raft, 0, 1, vote(3, 2, 100, false)), vote_answer(3, true));
    assert_eq!(answers(&mut raft, 0, 2, vote(4, 2, 900, false)), vote_answer(4, true));
}

#[test]
fn a_voter_that_hears_its_leader_votes_for_nobody_else() {
    let mut raft = member();
    answers(&mut raft, 0, 1, heartbeat(2, 0));
    assert_eq!(answers(&mut raft, 999, 2, vote(3, 2, 100, false)), vec![]);
    assert_eq!((raft.term(), raft.leader()), (Term(2), Some(MemberId(1))));
    assert_eq!(answers(&mut raft, 999, 2, vote(3, 2, 100, true)), vote_answer(3, true));
    let mut raft = member();
    answers(&mut raft, 0, 1, heartbeat(2, 0));
    assert_eq!(answers(&mut raft, 1_000, 2, vote(3, 2, 100, false)), vote_answer(3, true));
    let mut raft = member();
    answers(&mut raft, 0, 1, heartbeat(2, 0));
    turn(&mut raft, 10, Event::Gone { member: MemberId(1) });
    assert_eq!(answers(&mut raft, 10, 2, vote(3, 2, 100, false)), vote_answer(3, true));
}

#[test]
fn a_pre_vote_changes_nothing() {
    let ask = |raft: &mut Raft, now, term| {
        let membership = member().membership().clone();
        let saved = raft.saved().clone();
        let message = Message::PreVote { term: Term(term), log: LOG, membership: membership.clone() };
        let found = answers(raft, now, 1, message);
        assert_eq!(raft.saved(), &saved);
        let answer = |granted| Message::PreVoteAnswer { term: Term(2), asked: Term(term), granted, membership };
        found == [answer(true)]
    };
    let mut raft = member();
    assert!(ask(&mut raft, 0, 3) && ask(&mut raft, 0, 9) && !ask(&mut raft, 0, 2));
    answers(&mut raft, 0, 1, heartbeat(2, 0));
    assert!(!ask(&mut raft, 999, 3) && ask(&mut raft, 1_000, 3));
}

#[test]
fn a_follower_commits_what_is_its_leaders() {
    let mut raft = member();
    answers(&mut raft, 0, 1, heartbeat(2, 80));
    assert_eq!(raft.committed(), PhysicalOffset(0), "nobody has compared the logs yet");
    let matched = |term, end| Event::Matched { member: MemberId(0), term: Term(term), end: PhysicalOffset(end) };
    assert_eq!(turn(&mut raft, 0, matched(1, 100)), []);
    assert_eq!(turn(&mut raft, 0, matched(2, 60)), [Action::Commit { end: PhysicalOffset(60) }]);
    assert_eq!(turn(&mut raft, 0, matched(2, 90)), [Action::Commit { end: PhysicalOffset(80) }]);
    answers(&mut raft, 0, 1, heartbeat(2, 70));
    assert_eq!(raft.committed(), PhysicalOffset(80));
}

#[test]
fn a_learner_and_a_broken_member_do_not_vote() {
    let mut raft = member();
    turn(&mut raft, 0, Event::Broken { reason: "no".to_owned() });
    assert_eq!(answers(&mut raft, 0, 1, vote(3, 2, 100, false)), vec![]);
    assert_eq!(raft.next_deadline(), Millis(i64::MAX));
    let mut membership = Membership::first([MemberId(1), MemberId(2)]);
    membership.learners.insert(MemberId(0));
    let hard = Hard { term: Term(2), voted_for: None, membership: membership.clone() };
    let mut raft = Raft::new(Options::default(), MemberId(0), hard, PhysicalOffset(0), Millis(-10_000), 1);
    let message = Message::Vote { term: Term(3), log: LOG, membership, takes_over: false };
    assert_eq!(answers(&mut raft, 0, 1, message), vote_answer(3, false));
    assert_eq!(raft.next_deadline(), Millis(i64::MAX));
}

#[test]
fn a_sole_voter_leads_at_once() {
    let hard = Hard { membership: Membership::first([MemberId(0)]), ..Hard::default() };
    let mut raft = Raft::new(Options::default(), MemberId(0), hard.clone(), PhysicalOffset(0), Millis(50), 1);
    let mut actions = Vec::new();
    raft.upkeep(raft.next_deadline(), LOG, &mut actions);
    // Its log has epochs up to 2, of a time without a group.
    let elected = Hard { term: Term(3), voted_for: Some(MemberId(0)), ..hard };
    let follow = Action::Follow { term: Term(3), leader: None };
    assert_eq!(actions, [follow, Action::Save { hard: elected.clone() }]);
    let mut rewritten = elected.clone();
    rewritten.membership.id.term = Term(3);
    let lead = [Action::Lead { term: Term(3) }, Action::Save { hard: rewritten }];
    assert_eq!(turn(&mut raft, 50, Event::Saved { hard: elected }), lead);
    assert!(!raft.may_accept_writes(Millis(50)));
    turn(&mut raft, 50, Event::Opened { term: Term(3), start: PhysicalOffset(90), end: PhysicalOffset(100) });
    assert!(raft.may_accept_writes(Millis(50)) && raft.may_accept_writes(Millis(50_000)));
    let durable = turn(&mut raft, 50, Event::Durable { end: PhysicalOffset(100) });
    assert_eq!(durable, [Action::Commit { end: PhysicalOffset(100) }]);
}

#[test]
fn a_second_voter_is_given_time_to_answer() {
    let hard = Hard { membership: Membership::first([MemberId(0)]), ..Hard::default() };
    let mut raft = Raft::new(Options::default(), MemberId(0), hard, PhysicalOffset(0), Millis(0), 1);
    let mut waiting = Vec::new();
    raft.upkeep(Millis(0), LOG, &mut waiting);
    let save_all = |raft: &mut Raft, now, mut waiting: Vec<Action>| {
        while let Some(action) = waiting.pop() {
            if let Action::Save { hard } = action {
                waiting.extend(turn(raft, now, Event::Saved { hard }));
            }
        }
    };
    save_all(&mut raft, 0, waiting);
    turn(&mut raft, 0, Event::Opened { term: Term(3), start: PhysicalOffset(90), end: PhysicalOffset(100) });
    turn(&mut raft, 0, Event::Durable { end: PhysicalOffset(100) });
    let waiting = turn(&mut raft, 60_000, Event::Change { change: MemberChange::AddVoter(MemberId(1)) });
    save_all(&mut raft, 60_000, waiting);
    assert_eq!((raft.role(), raft.membership().voters.len()), (Role::Leader, 2));
    assert!(!raft.may_accept_writes(Millis(60_000)), "the second has promised nothing yet");
    raft.upkeep(Millis(60_999), LOG, &mut Vec::new());
    assert_eq!(raft.role(), Role::Leader);
    raft.upkeep(Millis(61_000), LOG, &mut Vec::new());
    assert_eq!(raft.role(), Role::Follower);
}
