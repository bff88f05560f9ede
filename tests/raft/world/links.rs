//! The log's way from a leader to its followers: the product's `Epochs` say where two logs part.

use mqcontainer::protocol::ha::Epoch;
use mqcontainer::raft::{Event, Term};
use mqcontainer::replication::epochs::Epochs;

use super::{Happening, World};
use crate::bugs::Bug;
use crate::invariants::committed::Ledger;
use crate::log::Record;
use crate::member::{Link, Told, id, index};
use crate::network::{StreamId, Word};

/// Microseconds after which a follower looks at its link again.
const TEND: i64 = 30_000;

/// Records of one frame.
const FRAME: usize = 16;

impl World {
    /// A follower looks at its link before long.
    pub(super) fn plan_to_tend(&mut self, member: usize, after: i64) {
        let Some(living) = self.machines[member].life.as_mut().filter(|living| !living.tends) else { return };
        living.tends = true;
        let life = living.number;
        self.happens(after, Happening::Tend { member, life });
    }

    /// A follower without a link opens one.
    pub(super) fn tend(&mut self, member: usize) -> Result<(), String> {
        let Some(living) = &mut self.machines[member].life else { return Ok(()) };
        living.tends = false;
        let link = living.link;
        let Told::Follow { term, leader: Some(leader) } = living.told else { return Ok(()) };
        if living.broken {
            return Ok(());
        }
        self.plan_to_tend(member, TEND);
        if link.is_some_and(|link| self.network.streams.contains_key(&link.stream)) {
            return Ok(());
        }
        if let Some(leader_life) = self.living(leader).map(|life| life.number) {
            let stream = self.network.open(member, (leader, leader_life), term, self.now);
            if let Some(living) = &mut self.machines[member].life {
                living.link = Some(Link { stream, term, agreed: false });
            }
            self.pass(stream, true, Word::Hello);
        }
        Ok(())
    }

    /// Sends a word on a stream, or breaks it.
    fn pass(&mut self, id: StreamId, to_leader: bool, word: Word) {
        let Some(stream) = self.network.streams.get(&id).copied() else { return };
        let follower_life = self.living(stream.follower).map_or(0, |life| life.number);
        let (leader, follower) = ((stream.leader, stream.leader_life), (stream.follower, follower_life));
        let (from, to) = if to_leader { (follower, leader) } else { (leader, follower) };
        let Some(at) = self.network.pass(id, to_leader, self.now) else { return };
        let from = (from.0, from.1, stream.term);
        if matches!(word, Word::Report { .. }) && self.network.is_late() {
            // Once more from the depth of some queue, when there may be another term and the link is gone.
            let delay = self.network.delay_of_late();
            self.happens(delay, Happening::Pass { stream: id, to_leader, word: word.clone(), from, to });
        }
        self.happens(at - self.now, Happening::Pass { stream: id, to_leader, word, from, to });
    }

    pub(super) fn passed(
        &mut self,
        stream: StreamId,
        to_leader: bool,
        word: Word,
        (from, _, term): (usize, u64, i32),
        to: usize,
    ) -> Result<(), String> {
        match word {
            Word::Hello => self.greeted(to, stream, from, term),
            Word::Report { written, safe } => self.reported(to, stream, (from, term), (written, safe)),
            Word::Welcome { epochs, end } => self.welcomed(to, stream, &epochs, end),
            Word::Frame { from, records } => self.framed(to, stream, from, &records),
            Word::End if to_leader => Ok(()),
            Word::End => {
                self.network.streams.remove(&stream);
                Ok(())
            }
        }
    }

    /// A follower greets a leader, which turns away those of another term.
    fn greeted(&mut self, member: usize, stream: StreamId, from: usize, term: i32) -> Result<(), String> {
        let is_member = self.living(member).is_some_and(|life| life.raft.membership().contains(id(from)));
        if !is_member || !self.still(member, Told::Lead { term }) || !self.is_opened(member, term) {
            self.pass(stream, false, Word::End);
            return Ok(());
        }
        let log = &self.machines[member].log;
        let welcome = Word::Welcome { epochs: log.epochs.list().to_vec(), end: log.end() };
        if let Some(life) = &mut self.machines[member].life {
            life.sessions.insert(stream, None);
        }
        self.pass(stream, false, welcome);
        Ok(())
    }

    /// A leader whose epoch has not begun has no log to show for its term.
    fn is_opened(&self, member: usize, term: i32) -> bool {
        self.machines[member].log.epochs.newest().is_some_and(|epoch| epoch.number == term)
    }

    fn has_link(&self, member: usize, stream: StreamId) -> Option<Link> {
        let life = self.living(member).filter(|life| !life.broken)?;
        life.link.filter(|link| link.stream == stream && self.network.streams.contains_key(&stream))
    }

    /// A follower cuts its log back to where it agrees with its leader's.
    fn welcomed(&mut self, member: usize, stream: StreamId, epochs: &[Epoch], end: i64) -> Result<(), String> {
        let Some(link) = self.has_link(member, stream) else { return Ok(()) };
        let leader = Epochs::new(epochs.iter().copied());
        let log = &mut self.machines[member].log;
        let own = World::position(log.end());
        let agreement = match own.0 {
            0 => own,
            _ => match log.epochs.agreement_with_elected(own, &leader, World::position(end)) {
                Some(agreement) => agreement,
                None => {
                    self.network.streams.remove(&stream);
                    return Ok(());
                }
            },
        };
        if agreement < own && self.bug != Some(Bug::SkipCut) {
            let committed = self.living(member).map_or(0, |life| life.committed);
            self.tell(|| format!("n{member} cuts its log from {own} back to {agreement}"));
            Ledger::check_cut(member, agreement.0, committed)?;
            self.machines[member].log.cut(agreement.0);
            self.coverage.met("logs cut back");
        }
        self.machines[member].log.epochs = leader;
        if let Some(life) = &mut self.machines[member].life {
            life.link = Some(Link { agreed: true, ..link });
        }
        self.verified(member, link.term)?;
        self.report(member);
        Ok(())
    }

    fn verified(&mut self, member: usize, term: i32) -> Result<(), String> {
        let end = World::position(self.machines[member].log.end());
        self.event(member, Event::Matched { member: id(member), term: Term(term), end })
    }

    /// Says what it has.
    fn report(&mut self, member: usize) {
        let log = &self.machines[member].log;
        let is_safe_at_once = !self.syncs || self.bug == Some(Bug::ReportBeforeFlush);
        let (written, safe) = (log.end(), if is_safe_at_once { log.end() } else { log.durable });
        let link = self.living(member).and_then(|life| life.link);
        if let Some(link) = link.filter(|link| link.agreed) {
            self.pass(link.stream, true, Word::Report { written, safe });
        }
    }

    /// A leader hears what a follower has; also from a link that is gone since, which the core has to sort out.
    fn reported(
        &mut self,
        member: usize,
        stream: StreamId,
        (from, term): (usize, i32),
        (written, safe): (i64, i64),
    ) -> Result<(), String> {
        let Some(life) = &mut self.machines[member].life else { return Ok(()) };
        let now = life.raft.term().0;
        let is_learner = life.raft.membership().learners.contains(&id(from));
        if let Some(next @ None) = life.sessions.get_mut(&stream) {
            *next = Some(written);
        }
        let mut told = (from, term);
        if term != now {
            self.coverage.met("acknowledgements of another term");
            if self.bug == Some(Bug::CountOldAck) {
                told.1 = now;
            }
        }
        if is_learner && self.bug == Some(Bug::CountLearner) {
            let voters = self.living(member).map(|life| life.raft.membership().voters.clone()).unwrap_or_default();
            told.0 = voters.into_iter().map(index).find(|voter| *voter != member).unwrap_or(from);
        }
        let end = World::position(safe);
        self.event(member, Event::Matched { member: id(told.0), term: Term(told.1), end })?;
        self.look_at_old_bytes(member);
        self.feed(member, stream);
        Ok(())
    }

    /// Raft's figure 8 in the making: a majority holds more than is committed, and none of it is of this term.
    fn look_at_old_bytes(&mut self, member: usize) {
        let Some(life) = self.living(member) else { return };
        let Told::Lead { term } = life.told else { return };
        let held = life.raft.membership().reached(|voter| match index(voter) == member {
            true => self.machines[member].log.end(),
            false => life.raft.progress().find(|(known, _)| *known == voter).map_or(0, |(_, known)| known.matched.0),
        });
        let held = held.unwrap_or(0);
        let is_old = self.machines[member].log.record_at(held).is_some_and(|record| record.term < term);
        if is_old && held > life.committed {
            self.coverage.met("old terms' bytes held by a majority, not committed");
        }
    }

    pub(super) fn feed_followers(&mut self, member: usize) {
        let Some(life) = self.living(member) else { return };
        let streams: Vec<StreamId> = life.sessions.keys().copied().collect();
        for stream in streams {
            self.feed(member, stream);
        }
    }

    /// Sends what a follower lacks.
    fn feed(&mut self, member: usize, stream: StreamId) {
        loop {
            let machine = &mut self.machines[member];
            let Some(life) = &mut machine.life else { return };
            let Some(Some(next)) = life.sessions.get_mut(&stream) else { return };
            let begin = machine.log.count_below(*next);
            let records = &machine.log.records[begin..machine.log.records.len().min(begin + FRAME)];
            let Some(last) = records.last() else { return };
            let word = Word::Frame { from: *next, records: records.to_vec() };
            *next = last.end;
            self.pass(stream, false, word);
        }
    }

    /// A follower appends.
    fn framed(&mut self, member: usize, stream: StreamId, from: i64, records: &[Record]) -> Result<(), String> {
        let Some(link) = self.has_link(member, stream).filter(|link| link.agreed) else { return Ok(()) };
        let log = &mut self.machines[member].log;
        if log.end() != from {
            self.network.streams.remove(&stream);
            return Ok(());
        }
        for record in records {
            let length = record.end - self.machines[member].log.end();
            let appended = self.machines[member].log.append(record.term, record.tag, length);
            self.seen.stands(member, &appended)?;
            let epochs = &mut self.machines[member].log.epochs;
            if epochs.newest().is_none_or(|newest| newest.number < record.term) {
                return Err(format!("n{member} gets a record of term {} that no epoch announced", record.term));
            }
        }
        self.verified(member, link.term)?;
        self.sync(member);
        if !self.syncs || self.bug == Some(Bug::ReportBeforeFlush) {
            self.report(member);
        }
        Ok(())
    }

    /// Begins to sync, unless that is under way.
    pub(super) fn sync(&mut self, member: usize) {
        let delay = match self.disks.permille(30) {
            true => self.disks.between(0, 100_000),
            false => self.disks.between(0, 2_000),
        };
        let Some(life) = &mut self.machines[member].life else { return };
        if life.is_syncing || life.broken {
            return;
        }
        life.is_syncing = true;
        let (life, log) = (life.number, &self.machines[member].log);
        let (end, cuts) = (log.end(), log.cuts);
        self.happens(delay, Happening::Synced { member, life, end, cuts });
    }

    pub(super) fn synced(&mut self, member: usize, life: u64, end: i64, cuts: u64) -> Result<(), String> {
        let machine = &mut self.machines[member];
        let Some(living) = machine.life.as_mut().filter(|living| living.number == life) else { return Ok(()) };
        living.is_syncing = false;
        if living.broken {
            return Ok(());
        }
        if machine.log.cuts == cuts {
            machine.log.durable = end;
        }
        if machine.log.durable < machine.log.end() {
            self.sync(member);
        }
        match self.living(member).map(|life| life.told) {
            Some(Told::Lead { .. }) => self.tell_durable(member),
            _ => {
                self.report(member);
                Ok(())
            }
        }
    }

    /// Members have changed: links to those that are none any more are dropped.
    pub(super) fn drop_strangers(&mut self, member: usize) -> Result<(), String> {
        let streams = &mut self.network.streams;
        let Some(life) = &mut self.machines[member].life else { return Ok(()) };
        let membership = life.raft.membership();
        streams.retain(|_, stream| stream.leader != member || membership.contains(id(stream.follower)));
        life.sessions.retain(|stream, _| streams.contains_key(stream));
        Ok(())
    }
}
