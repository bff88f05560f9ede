//! What the core wants done, and what must hold when it does.

use mqcontainer::protocol::ha::Epoch;
use mqcontainer::raft::{Action, Event, Hard, MemberId, Message, Term};

use super::{Happening, World, in_words};
use crate::bugs::Bug;
use crate::invariants::{complete, monotone, promised, quorum};
use crate::log::Log;
use crate::member::{Told, id, index};

/// Bytes of a marker.
const MARKER: i64 = 10;

impl World {
    pub(super) fn act(&mut self, member: usize, action: Action) -> Result<(), String> {
        if let Some(words) = in_words(&action) {
            self.tell(|| format!("n{member} {words}"));
        }
        match action {
            Action::Lead { term } => self.lead(member, term.0),
            Action::Follow { term, leader } => self.follow(member, term.0, leader.map(index)),
            Action::Members { .. } => self.drop_strangers(member),
            Action::Save { hard } => self.save(member, hard),
            Action::Send { to, message } => self.send(member, to, message),
            Action::Commit { end } => self.commit(member, end.0),
        }
    }

    fn lead(&mut self, member: usize, term: i32) -> Result<(), String> {
        let machine = &mut self.machines[member];
        let Some(life) = &mut machine.life else { return Ok(()) };
        life.told = Told::Lead { term };
        life.link = None;
        life.sessions.clear();
        let number = life.number;
        let membership = life.raft.membership().clone();
        self.leaders.leads(term, member, number)?;
        complete::check(member, term, &self.machines[member].log, &self.ledger)?;
        self.memberships.elected(member, &membership)?;
        if membership.voters.len() == 1 {
            self.coverage.met("elected alone");
        }
        if self.successor == Some((member, term - 1)) {
            self.coverage.met("successors elected");
        }
        let leads = |machine: &&crate::member::Machine| {
            machine.life.as_ref().is_some_and(|life| matches!(life.told, Told::Lead { .. }))
        };
        if self.machines.iter().filter(leads).count() > 1 {
            self.coverage.met("two leaders at one time");
        }
        let delay = self.disks.between(0, 3_000);
        self.happens(delay, Happening::Mark { member, life: number, term });
        Ok(())
    }

    /// The first record of a term.
    pub(super) fn mark(&mut self, member: usize, term: i32) -> Result<(), String> {
        if !self.still(member, Told::Lead { term }) {
            return Ok(());
        }
        let machine = &mut self.machines[member];
        let start = machine.log.end();
        if machine.log.epochs.newest().is_some_and(|newest| newest.start.0 == start) {
            self.coverage.met("epochs without a record replaced");
        }
        machine.log.epochs.begin(Epoch { number: term, start: World::position(start) });
        self.append(member, term, MARKER)?;
        let (start, end) = match self.bug {
            Some(Bug::CommitOldTerm) => (-1, 0),
            _ => (start, self.machines[member].log.end()),
        };
        let (start, end) = (World::position(start), World::position(end));
        self.event(member, Event::Opened { term: Term(term), start, end })?;
        self.tell_durable(member)
    }

    pub(super) fn still(&self, member: usize, told: Told) -> bool {
        self.living(member).is_some_and(|life| life.told == told && !life.broken)
    }

    /// A leader writes.
    pub(super) fn append(&mut self, member: usize, term: i32, length: i64) -> Result<(), String> {
        self.tag += 1;
        let record = self.machines[member].log.append(term, self.tag, length);
        self.seen.stands(member, &record)?;
        self.sync(member);
        self.feed_followers(member);
        Ok(())
    }

    /// What a leader may count of its own.
    pub(super) fn tell_durable(&mut self, member: usize) -> Result<(), String> {
        let log = &self.machines[member].log;
        let end = if self.syncs { log.durable } else { log.end() };
        self.event(member, Event::Durable { end: World::position(end) })
    }

    fn follow(&mut self, member: usize, term: i32, leader: Option<usize>) -> Result<(), String> {
        let keeps_link = self.bug == Some(Bug::KeepLink);
        let hasty = self.bug == Some(Bug::FollowBeforeSave);
        let Some(life) = &mut self.machines[member].life else { return Ok(()) };
        let leader = match hasty {
            true => life.raft.leader().map(index).filter(|leader| *leader != member),
            false => leader,
        };
        life.told = Told::Follow { term, leader };
        life.sessions.clear();
        if !keeps_link || leader.is_some() {
            life.link = None;
        }
        if leader.is_some() {
            let delay = self.network.delay().min(4_000);
            self.plan_to_tend(member, delay);
        }
        Ok(())
    }

    fn save(&mut self, member: usize, hard: Hard) -> Result<(), String> {
        let slow = self.healing_since.is_none() && self.disks.permille(self.slow_permille);
        let delay = if slow { self.disks.between(0, 300_000) } else { self.disks.between(0, 3_000) };
        let fails = self.healing_since.is_none() && self.disks.permille(self.fails_permille);
        let is_kept = !fails || self.disks.permille(500);
        let Some(life) = &mut self.machines[member].life else { return Ok(()) };
        assert!(life.saving.is_none(), "one save at a time");
        life.saving = Some(hard.clone());
        let number = life.number;
        let hasty = self.bug == Some(Bug::VoteBeforeSave);
        let after = Happening::Saved { member, life: number, hard: hard.clone(), is_kept, is_told: !fails && !hasty };
        self.happens(delay, after);
        if hasty {
            return self.event(member, Event::Saved { hard });
        }
        Ok(())
    }

    pub(super) fn saved(
        &mut self,
        member: usize,
        life: u64,
        hard: Hard,
        (is_kept, is_told): (bool, bool),
    ) -> Result<(), String> {
        let machine = &mut self.machines[member];
        let Some(living) = machine.life.as_mut().filter(|living| living.number == life) else { return Ok(()) };
        living.saving = None;
        if is_kept {
            self.keep(member, hard.clone())?;
        }
        if is_told {
            return self.event(member, Event::Saved { hard });
        }
        if self.bug == Some(Bug::VoteBeforeSave) {
            return Ok(());
        }
        self.coverage.met("saves failed");
        self.event(member, Event::SaveFailed { reason: "the world says so".to_owned() })
    }

    /// It is on disk.
    pub(super) fn keep(&mut self, member: usize, hard: Hard) -> Result<(), String> {
        monotone::check_disk(member, &self.machines[member].hard, &hard)?;
        self.memberships.saved(&hard.membership)?;
        self.machines[member].hard = hard;
        Ok(())
    }

    fn send(&mut self, member: usize, to: MemberId, message: Message) -> Result<(), String> {
        promised::check(id(member), to, &self.machines[member].hard, &message)?;
        match &message {
            Message::Vote { term, .. } => self.votes.votes(member, term.0, member)?,
            Message::VoteAnswer { term, granted: true } => self.votes.votes(member, term.0, index(to))?,
            Message::VoteAnswer { granted: false, .. } => self.coverage.met("votes refused"),
            Message::PreVoteAnswer { granted: false, .. } => self.coverage.met("pre-votes refused"),
            Message::TakeOver { term } => {
                self.successor = Some((index(to), term.0));
                self.coverage.met("successors told to stand");
            }
            _ => {}
        }
        let to = index(to);
        for delay in self.network.copies(member, to) {
            self.happens(delay, Happening::Deliver { from: member, to, message: message.clone() });
        }
        Ok(())
    }

    pub(super) fn deliver(&mut self, from: usize, to: usize, mut message: Message) -> Result<(), String> {
        let Some(life) = self.living(to) else { return Ok(()) };
        let own = life.raft.membership().clone();
        match (&mut message, self.bug) {
            (Message::HeartbeatAnswer { membership, .. }, Some(Bug::ChangeUninstalled)) => *membership = own.id,
            (Message::PreVote { membership, .. } | Message::Vote { membership, .. }, Some(Bug::VoteForOldMembers))
                if membership.id < own.id =>
            {
                *membership = own.clone()
            }
            _ => {}
        }
        if let Message::PreVote { membership, .. } | Message::PreVoteAnswer { membership, .. } = &message
            && membership.id > own.id
        {
            self.coverage.met("members learned in a pre-vote");
        }
        self.event(to, Event::Message { from: id(from), message })
    }

    fn commit(&mut self, member: usize, end: i64) -> Result<(), String> {
        let machine = &mut self.machines[member];
        let Some(life) = &mut machine.life else { return Ok(()) };
        monotone::check_committed(member, life.committed, end)?;
        let before = life.committed;
        life.committed = end;
        let (told, term, membership) = (life.told, life.raft.term().0, life.raft.membership().clone());
        if let Told::Lead { term } = told {
            let log = &self.machines[member].log;
            let last = log.record_at(end).ok_or(format!("n{member} commits {end}, where no record ends"))?;
            if log.records[log.count_below(before)..log.count_below(end)].iter().any(|record| record.term < term) {
                self.coverage.met("committed with a marker, older terms too");
            }
            let log_of = |member: MemberId| -> (&Log, i64) {
                let log = &self.machines[index(member)].log;
                (log, if self.syncs { log.durable } else { log.end() })
            };
            quorum::check((term, &membership), last, log_of)?;
        }
        self.ledger.commits((member, term), end, &self.machines[member].log)
    }
}
