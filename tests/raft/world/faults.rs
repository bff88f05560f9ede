//! Writes, operators, faults, and their end.

use mqcontainer::raft::{Event, MemberChange};

use super::{HEALING, Happening, OPTIONS, SECOND, World};
use crate::bugs::Bug;
use crate::invariants::lease;
use crate::member::{Life, Told, id};

impl World {
    pub(super) fn start(&mut self, member: usize) -> Result<(), String> {
        if self.machines[member].life.is_some() {
            return Ok(());
        }
        let seed = self.faults.next();
        let machine = &mut self.machines[member];
        match self.bug {
            Some(Bug::ForgetVote) => machine.hard.voted_for = None,
            Some(Bug::ForgetMembers) => machine.hard.membership = machine.first.membership.clone(),
            _ => {}
        }
        machine.start(member, OPTIONS, self.now, seed);
        self.tell(|| format!("n{member} starts with {:?}", self.machines[member].hard));
        self.wake(member)
    }

    /// Everybody who may takes a write now and then.
    pub(super) fn write(&mut self) -> Result<(), String> {
        let pause = self.producers.between(self.write_pause / 10, self.write_pause);
        self.happens(pause, Happening::Write);
        let heals_for = self.now - self.healing_since.unwrap_or(self.now);
        if heals_for > HEALING / 20 {
            return Ok(());
        }
        let writer = self.producers.below(self.machines.len());
        let may = |member: &usize| {
            let machine = &self.machines[*member];
            machine.life.as_ref().is_some_and(|life| match (self.bug, life.told) {
                (Some(Bug::IgnoreLease), Told::Lead { .. }) => life.raft.role() == mqcontainer::raft::Role::Leader,
                _ => life.raft.may_accept_writes(machine.local(self.now)),
            })
        };
        let Some(living) = self.living(writer).filter(|living| living.stopped_until <= self.now) else { return Ok(()) };
        let Told::Lead { term } = living.told else { return Ok(()) };
        let is_opened = self.machines[writer].log.epochs.newest().is_some_and(|epoch| epoch.number == term);
        if living.broken || !may(&writer) || !is_opened {
            return Ok(());
        }
        // One that is stopped takes nothing; when it runs again its lease is over, or it is the only one.
        let runs = |member: &usize| self.living(*member).is_some_and(|life| life.stopped_until <= self.now);
        let all: Vec<usize> = (0..self.machines.len()).filter(|member| runs(member) && may(member)).collect();
        lease::check(writer, &all)?;
        self.coverage.met("writes taken");
        let length = self.producers.between(1, 9);
        self.append(writer, term, length)?;
        match self.syncs {
            true => self.turn(writer, None),
            false => self.tell_durable(writer),
        }
    }

    /// Somebody changes the members or the leader.
    pub(super) fn operate(&mut self) -> Result<(), String> {
        let pause = self.faults.between(self.operate_pause / 10, self.operate_pause);
        if self.healing_since.is_some() {
            return Ok(());
        }
        self.happens(pause, Happening::Operate);
        let leaders = (0..self.machines.len())
            .filter(|member| self.living(*member).is_some_and(|life| matches!(life.told, Told::Lead { .. })));
        let Some(leader) = leaders.max() else { return Ok(()) };
        let other = id(self.faults.below(self.machines.len()));
        let local = self.machines[leader].local(self.now);
        let Some(life) = self.living(leader) else { return Ok(()) };
        if life.stopped_until > self.now {
            return Ok(());
        }
        let (voters, learners) = (&life.raft.membership().voters, &life.raft.membership().learners);
        let (votes, learns) = (voters.contains(&other), learners.contains(&other));
        if self.faults.permille(300) {
            if self.living(leader).is_some_and(|life| life.raft.may_transfer(local, other).is_ok()) {
                self.coverage.met("transfers begun");
            }
            return self.event(leader, Event::Transfer { to: other });
        }
        let change = match (votes, learns) {
            (true, _) if self.faults.permille(500) => MemberChange::RemoveVoter(other),
            (false, true) if self.faults.permille(700) => MemberChange::AddVoter(other),
            (false, true) => MemberChange::RemoveLearner(other),
            (false, false) if self.faults.permille(700) => MemberChange::AddLearner(other),
            (false, false) => MemberChange::AddVoter(other),
            _ => return Ok(()),
        };
        let Some(life) = self.living(leader) else { return Ok(()) };
        match life.raft.may_change(change) {
            Ok(_) if change == MemberChange::RemoveVoter(id(leader)) => {
                self.coverage.met("leaders that removed themselves");
            }
            Ok(_) if learns && matches!(change, MemberChange::AddVoter(_)) => self.coverage.met("learners made voters"),
            Ok(_) => self.coverage.met("changes begun"),
            Err(_) => self.coverage.met("changes refused"),
        }
        self.event(leader, Event::Change { change })
    }

    pub(super) fn fault(&mut self) -> Result<(), String> {
        if self.healing_since.is_some() {
            return Ok(());
        }
        let pause = match self.faults.permille(300) {
            true => self.faults.between(500, 20_000),
            false => self.faults.between(self.fault_pause / 10, self.fault_pause),
        };
        self.happens(pause, Happening::Fault);
        let count = self.machines.len();
        let (mut one, other) = (self.faults.below(count), self.faults.below(count));
        if self.faults.permille(400) {
            // Where it hurts most.
            let leads = |life: &Life| matches!(life.told, Told::Lead { .. });
            one = (0..count).find(|member| self.living(*member).is_some_and(leads)).unwrap_or(one);
        }
        let kind = self.faults.below(self.fault_kinds.len());
        match self.fault_kinds[kind] {
            0..=2 => self.crash(one, false),
            3 | 4 => self.crash(one, self.syncs),
            5 => {
                self.network.cut(one, other);
                self.coverage.met("ways cut");
                Ok(())
            }
            6 => {
                for other in (0..count).filter(|other| *other != one) {
                    self.network.cut(one, other);
                    self.network.cut(other, one);
                }
                self.coverage.met("ways cut");
                Ok(())
            }
            7 | 8 => {
                self.network.mend();
                Ok(())
            }
            9 => {
                let until = self.now + self.faults.between(10_000, SECOND);
                if let Some(life) = &mut self.machines[one].life {
                    life.stopped_until = until;
                    self.coverage.met("processes stopped");
                    self.tell(|| format!("n{one} stops until {until}"));
                }
                self.suspect(one)
            }
            _ => self.break_disk(one),
        }
    }

    fn break_disk(&mut self, member: usize) -> Result<(), String> {
        let Some(life) = self.machines[member].life.as_mut().filter(|life| !life.broken) else { return Ok(()) };
        if life.stopped_until > self.now {
            return Ok(());
        }
        life.broken = true;
        self.coverage.met("broken disks");
        self.event(member, Event::Broken { reason: "the world says so".to_owned() })
    }

    /// A process ends, with its page cache or without.
    fn crash(&mut self, member: usize, power: bool) -> Result<(), String> {
        let Some(life) = self.machines[member].life.take() else { return Ok(()) };
        self.tell(|| format!("n{member} dies{}", if power { " with the power" } else { "" }));
        if let Some(hard) = life.saving {
            self.coverage.met("lives that ended while saving");
            if self.disks.permille(500) {
                self.keep(member, hard)?;
            }
        }
        self.network.streams.retain(|_, stream| stream.follower != member && stream.leader != member);
        let (luck, log) = (&mut self.disks, &mut self.machines[member].log);
        if power {
            let before = log.records.len();
            log.lose(|count| luck.below(count));
            let lost = before - log.records.len();
            self.coverage.met("losses of power");
            self.coverage.met_times("records lost with the power", u64::try_from(lost).unwrap());
        } else {
            log.recover();
            self.coverage.met("crashes of processes");
        }
        let pause = match self.faults.permille(700) {
            true => self.faults.between(1_000, 200_000),
            false => self.faults.between(200_000, 2 * SECOND),
        };
        self.happens(pause, Happening::Start { member });
        if !power && self.faults.permille(500) {
            self.tell_gone(member, life.number);
        }
        Ok(())
    }

    /// The kernel of the machine refuses new connections: the others know that the process is gone.
    fn tell_gone(&mut self, of: usize, of_life: u64) {
        for member in (0..self.machines.len()).filter(|member| *member != of) {
            let is_cut = self.network.is_cut(of, member) || self.network.is_cut(member, of);
            let Some(life) = self.living(member).map(|life| life.number).filter(|_| !is_cut) else { continue };
            let delay = self.faults.between(300, 5_000);
            self.happens(delay, Happening::Gone { member, life, of, of_life });
        }
    }

    fn suspect(&mut self, of: usize) -> Result<(), String> {
        if self.bug == Some(Bug::BuryTheLiving)
            && let Some(life) = self.living(of).map(|life| life.number)
        {
            self.tell_gone(of, life);
        }
        Ok(())
    }

    pub(super) fn gone(&mut self, member: usize, of: usize, of_life: u64) -> Result<(), String> {
        // In order with its messages: of a later life nothing has been heard.
        let is_new = self.machines[of].lives != of_life;
        if is_new {
            return Ok(());
        }
        self.coverage.met("ends of a process told");
        self.event(member, Event::Gone { member: id(of) })
    }

    /// From now on nothing fails.
    pub(super) fn heal(&mut self) -> Result<(), String> {
        self.tell(|| "everything heals".to_owned());
        self.healing_since = Some(self.now);
        self.network.heal();
        for member in 0..self.machines.len() {
            if self.living(member).is_some_and(|life| life.broken) {
                self.crash(member, false)?;
            }
            if let Some(life) = &mut self.machines[member].life {
                life.stopped_until = life.stopped_until.min(self.now);
            }
            self.happens(1_000, Happening::Start { member });
        }
        self.happens(500_000, Happening::Check);
        Ok(())
    }
}
