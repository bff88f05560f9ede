//! Schedules with a name, step by step, on the core alone: what a rule is for, and what comes without it.

use mqcontainer::protocol::ids::{Millis, PhysicalOffset};
use mqcontainer::raft::{Action, Event, Hard, LogEnd, MemberId, Membership, Message, Options, Raft, Role, Term};

/// One member of five, whose disk does at once what it is told and whose log is said to be somewhere.
struct Play {
    raft: Raft,
    now: Millis,
    log: LogEnd,
    disk: Hard,
    committed: i64,
}

impl Play {
    fn new(epoch: i32, end: i64) -> Play {
        let disk = Hard { membership: Membership::first((0..5).map(MemberId)), ..Hard::default() };
        let raft = Raft::new(Options::default(), MemberId(0), disk.clone(), PhysicalOffset(0), Millis(0), 1);
        Play { raft, now: Millis(0), log: log(epoch, end), disk, committed: 0 }
    }

    /// Hands it in, saves what is to be saved, and says what was sent.
    fn event(&mut self, event: Option<Event>) -> Vec<(MemberId, Message)> {
        let (mut sent, mut actions) = (Vec::new(), Vec::new());
        match event {
            Some(event) => self.raft.handle(self.now, event, self.log, &mut actions),
            None => self.raft.upkeep(self.now, self.log, &mut actions),
        }
        for action in actions {
            match action {
                Action::Save { hard } => {
                    self.disk = hard.clone();
                    sent.extend(self.event(Some(Event::Saved { hard })));
                }
                Action::Send { to, message } => sent.push((to, message)),
                Action::Commit { end } => self.committed = end.0,
                Action::Lead { .. } | Action::Follow { .. } | Action::Members { .. } => {}
            }
        }
        sent
    }

    fn hears(&mut self, from: u32, message: Message) -> Vec<(MemberId, Message)> {
        self.event(Some(Event::Message { from: MemberId(from), message }))
    }

    /// Two others vote for it: it leads the next term, and its marker of ten bytes is in its log.
    fn is_elected(&mut self) {
        self.now = self.now.max(self.raft.next_deadline());
        self.event(None);
        let asked = self.raft.term().next();
        let membership = self.disk.membership.clone();
        for voter in [1, 2] {
            let (term, membership) = (self.raft.term(), membership.clone());
            self.hears(voter, Message::PreVoteAnswer { term, asked, granted: true, membership });
        }
        for voter in [1, 2] {
            self.hears(voter, Message::VoteAnswer { term: asked, granted: true });
        }
        assert_eq!((self.raft.role(), self.raft.term()), (Role::Leader, asked));
        let start = self.log.end;
        self.log = log(asked.0, start.0 + 10);
        self.event(Some(Event::Opened { term: asked, start, end: self.log.end }));
        self.event(Some(Event::Durable { end: self.log.end }));
    }

    /// Another member leads this term, and cuts the log back.
    fn is_led(&mut self, by: u32, term: i32, cut: LogEnd) {
        let membership = self.disk.membership.clone();
        let (term, sent, committed) = (Term(term), Millis(0), PhysicalOffset(0));
        self.hears(by, Message::Heartbeat { term, sent, committed, membership });
        assert_eq!(self.raft.leader(), Some(MemberId(by)));
        self.log = cut;
    }

    fn matched(&mut self, member: u32, term: i32, end: i64) {
        self.event(Some(Event::Matched { member: MemberId(member), term: Term(term), end: PhysicalOffset(end) }));
    }
}

fn log(epoch: i32, end: i64) -> LogEnd {
    LogEnd { epoch: Term(epoch), end: PhysicalOffset(end) }
}

/// Raft's figure 8: a majority holds bytes of an older term, and that commits nothing; with the first record of the own term it does.
#[test]
fn bytes_of_an_old_term_are_committed_only_with_the_own_marker() {
    let mut play = Play::new(2, 100);
    play.is_elected();
    assert_eq!((play.raft.term(), play.log.end.0), (Term(3), 110));
    for member in [1, 2, 3, 4] {
        play.matched(member, 3, 100);
    }
    assert_eq!(play.committed, 0, "all five hold 100 bytes, none of them of term 3");
    play.matched(1, 3, 109);
    play.matched(2, 3, 109);
    assert_eq!(play.committed, 0, "the marker is not whole there");
    play.matched(1, 3, 110);
    assert_eq!(play.committed, 0, "two of five hold the marker");
    play.matched(2, 3, 110);
    assert_eq!(play.committed, 110);
}

/// Two terms of one leader without a write between: the second has a marker of its own, so no epoch is without a byte, and what the
/// first wrote is committed by the second.
#[test]
fn two_elections_without_a_write() {
    let mut play = Play::new(0, 0);
    play.is_elected();
    let first = play.raft.term();
    play.now = play.now.plus(5_000);
    play.event(None);
    assert_eq!((play.raft.role(), play.raft.term()), (Role::Follower, first), "nobody has answered");
    play.is_elected();
    assert_eq!((play.raft.term(), play.log), (first.next(), log(first.0 + 1, 20)));
    play.matched(1, first.0, 20);
    play.matched(2, first.0, 20);
    assert_eq!(play.committed, 0);
    play.matched(1, first.0 + 1, 20);
    play.matched(2, first.0 + 1, 20);
    assert_eq!(play.committed, 20);
}

/// openraft #1823: a follower has acknowledged 200 bytes to the leader of term 3, was cut back by that of term 4, and the word of term 3
/// arrives when its leader leads again, in term 5.
#[test]
fn an_acknowledgement_from_before_a_cut_counts_for_nothing() {
    // (term of the late word, what is committed after it)
    for (late, committed) in [(3, 0), (5, 110)] {
        let mut play = Play::new(2, 100);
        play.is_elected();
        play.log = log(3, 200);
        play.matched(1, 3, 200);
        play.is_led(4, 4, log(2, 100));
        play.is_elected();
        assert_eq!((play.raft.term(), play.log.end.0), (Term(5), 110));
        play.matched(2, 5, 110);
        assert_eq!(play.committed, 0);
        play.matched(1, late, 200);
        assert_eq!(
            play.committed, committed,
            "the word of term {late}: with the term of its link it is worth nothing, under a wrong one a byte is lost"
        );
    }
}

/// A vote is worth its place on the disk: who crashes before it is there votes again in that term, who crashes after it does not.
#[test]
fn a_vote_lost_in_a_crash() {
    let ask = |candidate: u32, play: &mut Play| {
        let membership = play.disk.membership.clone();
        let vote = Message::Vote { term: Term(3), log: log(2, 100), membership, takes_over: false };
        play.hears(candidate, vote)
    };
    let answer = |granted| Message::VoteAnswer { term: Term(3), granted };
    for (is_kept, to_second) in [(true, false), (false, true)] {
        let mut play = Play::new(2, 100);
        play.now = Millis(1_000);
        let before = Hard { term: Term(2), ..play.disk.clone() };
        assert_eq!(ask(1, &mut play), [(MemberId(1), answer(true))]);
        let disk = if is_kept { play.disk.clone() } else { before };
        // A new life; it is bound for an election time, since it does not know what it promised.
        play.raft = Raft::new(Options::default(), MemberId(0), disk.clone(), PhysicalOffset(0), play.now, 2);
        play.disk = disk;
        assert_eq!(ask(2, &mut play), []);
        play.now = play.now.plus(1_000);
        assert_eq!(ask(2, &mut play), [(MemberId(2), answer(to_second))]);
    }
}

/// Until the disk has answered nothing is said; if it fails, nothing is said either, and it is tried again.
#[test]
fn a_vote_waits_for_its_disk() {
    let mut play = Play::new(2, 100);
    play.now = Millis(1_000);
    let membership = play.disk.membership.clone();
    let message = Message::Vote { term: Term(3), log: log(2, 100), membership, takes_over: false };
    let mut actions = Vec::new();
    let mut turn = |play: &mut Play, event| {
        actions.clear();
        match event {
            Some(event) => play.raft.handle(play.now, event, play.log, &mut actions),
            None => play.raft.upkeep(play.now, play.log, &mut actions),
        }
        actions.clone()
    };
    let hard = Hard { term: Term(3), voted_for: Some(MemberId(1)), membership: play.disk.membership.clone() };
    let first = turn(&mut play, Some(Event::Message { from: MemberId(1), message }));
    assert_eq!(first, [Action::Follow { term: Term(3), leader: None }, Action::Save { hard: hard.clone() }]);
    assert_eq!(turn(&mut play, Some(Event::SaveFailed { reason: "full".to_owned() })), []);
    play.now = play.raft.next_deadline();
    assert_eq!(turn(&mut play, None), [Action::Save { hard: hard.clone() }]);
    let message = Message::VoteAnswer { term: Term(3), granted: true };
    assert_eq!(turn(&mut play, Some(Event::Saved { hard })), [Action::Send { to: MemberId(1), message }]);
}

/// A follower that took bytes in a term its disk does not know, and crashed, would come back in the term before, follow that leader again and
/// give back what it had acknowledged.
#[test]
fn no_bytes_are_taken_in_a_term_that_is_not_on_disk() {
    let mut play = Play::new(2, 100);
    let membership = play.disk.membership.clone();
    let message = Message::Heartbeat { term: Term(3), sent: Millis(0), committed: PhysicalOffset(0), membership };
    let mut actions = Vec::new();
    play.raft.handle(play.now, Event::Message { from: MemberId(1), message }, play.log, &mut actions);
    let hard = Hard { term: Term(3), ..play.disk.clone() };
    assert_eq!(actions, [Action::Follow { term: Term(3), leader: None }, Action::Save { hard: hard.clone() }]);
    actions.clear();
    play.raft.handle(play.now, Event::Saved { hard }, play.log, &mut actions);
    assert_eq!(actions[0], Action::Follow { term: Term(3), leader: Some(MemberId(1)) });
    assert!(matches!(&actions[1..], [Action::Send { message: Message::HeartbeatAnswer { .. }, .. }]), "{actions:?}");
}
