//! The log links of the group, in order and without loss while they stand, as TCP is.

use bytes::Bytes;
use mqcontainer::protocol::ha::{Dialect, Head, Hello, Reign, Report, Welcome};
use mqcontainer::protocol::ids::Millis;
use mqcontainer::protocol::raft::Term;
use mqcontainer::replication::Incoming;
use mqcontainer::replication::epochs::Epochs;
use mqcontainer::replication::follower::Step;
use mqcontainer::replication::leading::Traffic;
use mqcontainer::replication::progress::{Replica, Session, SessionId};
use mqcontainer::replication::sender::{Sender, Step as Sends};
use mqcontainer::store::Patience;

use super::member::{Agreeing, Life};
use super::{Bug, Happening, World};

/// What a link carries.
#[derive(Clone, Debug)]
pub enum Carried {
    Hello(Hello),
    Welcome(Welcome),
    Frame(Head, Bytes),
    Report(Report),
    End,
}

/// A connection; it leads to these two lives.
pub struct Link {
    pub follower: usize,
    pub leader: usize,
    lives: (u64, u64),
    /// When the last of each direction arrives: to the follower, to the leader.
    arrives: [i64; 2],
    held: [Vec<Carried>; 2],
}

impl Link {
    /// What has waited for a way to be free again.
    pub fn release(&mut self, id: u64) -> Vec<(u64, bool, Carried)> {
        let [to_follower, to_leader] = std::mem::take(&mut self.held);
        let down = to_follower.into_iter().map(|carried| (id, false, carried));
        down.chain(to_leader.into_iter().map(|carried| (id, true, carried))).collect()
    }
}

/// When one of the member's links has something to do by itself; it is asked often enough by what happens otherwise.
pub fn deadline(living: &Life) -> Option<Millis> {
    let is_looking = living.link.is_none() && living.target.1.is_some();
    is_looking.then_some(Millis(super::BEGIN))
}

impl World {
    fn carry(&mut self, id: u64, to_leader: bool, carried: Carried) {
        let takes = 1 + self.below(6);
        let now = self.now;
        let Some(link) = self.links.get_mut(&id) else { return };
        let way = if to_leader { (link.follower, link.leader) } else { (link.leader, link.follower) };
        let index = usize::from(to_leader);
        if self.cut.contains(&way) || !link.held[index].is_empty() {
            link.held[index].push(carried);
            return;
        }
        link.arrives[index] = link.arrives[index].max(now + takes);
        let after = link.arrives[index] - now;
        self.happens(after, Happening::Carried { link: id, to_leader, carried });
    }

    /// Both ends hear of it at once; what is under way is lost.
    pub(super) fn break_link(&mut self, id: u64) {
        let Some(link) = self.links.remove(&id) else { return };
        let now = self.wall();
        if let Some(living) = self.nodes[link.follower].life.as_mut().filter(|living| living.link == Some(id)) {
            lose(living, now);
        }
        if let Some(living) = &mut self.nodes[link.leader].life
            && living.senders.remove(&id).is_some()
        {
            let closed = Incoming::Closed { session: SessionId(id) };
            let mut outcome = super::Outcome::default();
            living.incoming(now, closed, &mut outcome);
            // What it leaves else follows with its next turn.
            assert!(outcome.failed.is_none());
            let leader = link.leader;
            let _left = self.leave(leader, outcome);
        }
    }

    pub(super) fn arrive(&mut self, id: u64, to_leader: bool, carried: Carried) -> Result<(), String> {
        let Some(link) = self.links.get(&id) else { return Ok(()) };
        let (follower, leader, lives) = (link.follower, link.leader, link.lives);
        if !self.is_life(follower, lives.0) || !self.is_life(leader, lives.1) {
            self.break_link(id);
            return Ok(());
        }
        match carried {
            Carried::End => self.break_link(id),
            Carried::Hello(hello) => self.greeted(id, leader, hello),
            Carried::Report(report) => return self.reported(id, leader, (follower, report)),
            Carried::Welcome(welcome) if !to_leader => return self.welcomed(id, follower, &welcome),
            Carried::Frame(head, body) => return self.framed(id, follower, head, body),
            Carried::Welcome(_) => {}
        }
        self.run_links(leader)
    }

    fn greeted(&mut self, id: u64, leader: usize, hello: Hello) {
        let now = self.wall();
        let options = mqcontainer::broker::link_options(&self.nodes[leader].config);
        let Some(living) = &mut self.nodes[leader].life else { return };
        if !living.log.leads || living.log.term != hello.term {
            return self.carry(id, false, Carried::End);
        }
        living.senders.insert(id, (Sender::new(options, Dialect::Ours, hello.term, now), hello.term, false));
        let reign = hello.term.map(|term| Reign { term, requests: ([127, 0, 0, 1], 1).into() });
        let welcome = Welcome { end: living.log.end, epochs: living.log.epochs.list().to_vec(), reign };
        self.carry(id, false, Carried::Welcome(welcome));
    }

    fn reported(&mut self, id: u64, leader: usize, (follower, report): (usize, Report)) -> Result<(), String> {
        let now = self.wall();
        let Some(living) = &mut self.nodes[leader].life else { return Ok(()) };
        let log = living.log.clone();
        let Some((sender, term, opened)) = living.senders.get_mut(&id) else { return Ok(()) };
        let Ok(end) = sender.reported(now, report, &log) else {
            self.break_link(id);
            return self.turn(leader, |_, _, _| {});
        };
        let (term, session) = (*term, SessionId(id));
        let incoming = match std::mem::replace(opened, true) {
            true => Incoming::Reported { session, end },
            false => {
                let id = mqcontainer::protocol::ids::BrokerId(i64::try_from(follower).unwrap() + 1);
                let replica = Replica::Broker(id);
                let about = Session { replica, remote: None, since: now, began: end, acknowledged: end, term };
                Incoming::Opened { session, about, traffic: std::sync::Arc::new(Traffic::default()) }
            }
        };
        self.turn(leader, |living, now, outcome| living.incoming(now, incoming, outcome))
    }

    /// Cuts back first, then takes the epochs over, then asks for bytes.
    fn welcomed(&mut self, id: u64, follower: usize, welcome: &Welcome) -> Result<(), String> {
        let now = self.wall();
        let Some(living) = self.nodes[follower].life.as_mut().filter(|living| living.link == Some(id)) else {
            return Ok(());
        };
        let log = living.log.clone();
        let Ok(agreed) = living.follower.welcomed(now, welcome, &log) else {
            self.break_link(id);
            return Ok(());
        };
        let term = welcome.reign.map(|reign| reign.term);
        let epochs = Epochs::new(welcome.epochs.iter().copied());
        let (cut, refused) = (agreed.cut.filter(|_| self.bug != Some(Bug::SkipCut)), log.refused);
        living.agreeing = Some(Agreeing { cut, epochs, term, refused, adopting: false });
        let Some(to) = cut else { return self.turn(follower, |_, _, _| {}) };
        self.coverage.cuts += 1;
        self.turn(follower, |living, now, outcome| living.incoming(now, Incoming::Cut { to, term }, outcome))
    }

    fn framed(&mut self, id: u64, follower: usize, head: Head, bytes: Bytes) -> Result<(), String> {
        let now = self.wall();
        let Some(living) = self.nodes[follower].life.as_mut().filter(|living| living.link == Some(id)) else {
            return Ok(());
        };
        if living.follower.frame(now, &head).is_err() {
            self.break_link(id);
            return Ok(());
        }
        let term = living.linked.0;
        let incoming = match bytes.is_empty() {
            true => Incoming::Heard,
            false => Incoming::Received { epoch: head.epoch, at: head.at, bytes, term },
        };
        self.turn(follower, |living, now, outcome| living.incoming(now, incoming, outcome))
    }

    /// What the tasks of its links do after a turn of a member. Some of them see it a moment later, as tasks do.
    pub(super) fn run_links(&mut self, member: usize) -> Result<(), String> {
        self.run_senders(member)?;
        self.agree(member)?;
        self.run_follower(member);
        Ok(())
    }

    fn run_senders(&mut self, member: usize) -> Result<(), String> {
        let now = self.wall();
        let Some(living) = &mut self.nodes[member].life else { return Ok(()) };
        let (log, view) = (living.log.clone(), living.store.view());
        let (mut out, mut broken) = (Vec::new(), Vec::new());
        for (id, (sender, ..)) in &mut living.senders {
            loop {
                match sender.step(now, &log) {
                    Ok(Sends::Send { epoch, at, max }) => {
                        let body = view.log_bytes(at, max.min(700), Patience::MayBlock);
                        let Some(body) = body.map_err(|error| format!("{error:?}"))? else { break };
                        sender.sent(now, body.len());
                        out.push((*id, Carried::Frame(Head { epoch, at, length: body.len() }, body)));
                    }
                    Ok(Sends::Heartbeat { epoch, at }) => {
                        sender.sent(now, 0);
                        out.push((*id, Carried::Frame(Head { epoch, at, length: 0 }, Bytes::new())));
                    }
                    Ok(Sends::Wait { .. }) => break,
                    Err(_) => {
                        broken.push(*id);
                        break;
                    }
                }
            }
        }
        out.into_iter().for_each(|(id, carried)| self.carry(id, false, carried));
        broken.into_iter().for_each(|id| self.break_link(id));
        Ok(())
    }

    /// The next step of a follower that agrees with its leader.
    fn agree(&mut self, member: usize) -> Result<(), String> {
        let Some(living) = &mut self.nodes[member].life else { return Ok(()) };
        let (log, id) = (living.log.clone(), living.link);
        let (Some(agreeing), Some(id)) = (&mut living.agreeing, id) else { return Ok(()) };
        let is_cut = agreeing.cut.is_none_or(|to| log.end == to);
        let has_failed = log.term != agreeing.term
            || agreeing.cut.is_some_and(|to| !agreeing.adopting && log.end < to)
            || log.refused != agreeing.refused;
        if has_failed {
            self.break_link(id);
            return Ok(());
        }
        if !agreeing.adopting && is_cut {
            agreeing.adopting = true;
            let (epochs, term) = (agreeing.epochs.clone(), agreeing.term);
            return self.turn(member, |living, now, outcome| {
                living.incoming(now, Incoming::Adopt { epochs, term }, outcome);
            });
        }
        if agreeing.adopting && log.epochs_saved && *log.epochs == agreeing.epochs {
            living.agreeing = None;
        }
        Ok(())
    }

    fn run_follower(&mut self, member: usize) {
        for _ in 0..4 {
            let now = self.wall();
            let Some(living) = &mut self.nodes[member].life else { return };
            if let Some(id) = living.link
                && living.linked != living.target
                && self.chance.percent(70)
            {
                // Another one leads.
                self.break_link(id);
                continue;
            }
            let Some(living) = &mut self.nodes[member].life else { return };
            if living.agreeing.is_some() {
                return;
            }
            let log = living.log.clone();
            match living.follower.step(now, &log) {
                Ok(Step::Connect) => {
                    if !self.connect(member) {
                        return;
                    }
                }
                Ok(Step::Report(report)) => {
                    let link = living.link;
                    if let Some(id) = link {
                        self.carry(id, true, Carried::Report(report));
                    }
                }
                Ok(Step::Wait { .. }) => return,
                Err(_) => match living.link {
                    Some(id) => self.break_link(id),
                    None => lose(living, now),
                },
            }
        }
    }

    fn connect(&mut self, member: usize) -> bool {
        let now = self.wall();
        let Some(living) = &mut self.nodes[member].life else { return false };
        let (Some(leader), true) = (living.target.1, living.target.0 == living.log.term) else { return false };
        let (target, life): ((Option<Term>, Option<usize>), u64) = (living.target, living.number);
        living.follower.turn_to(target.0);
        let is_there = self.nodes[leader].life.as_ref().map(|other| other.number);
        let is_cut = self.cut.contains(&(member, leader)) || self.cut.contains(&(leader, member));
        let Some(living) = &mut self.nodes[member].life else { return false };
        let (Some(other), false) = (is_there, is_cut) else {
            living.follower.lost(now);
            return false;
        };
        self.number += 1;
        let id = self.number;
        let log = living.log.clone();
        let hello = living.follower.connected(now, &log);
        (living.link, living.linked) = (Some(id), target);
        let arrives = [self.now; 2];
        self.links
            .insert(id, Link { follower: member, leader, lives: (life, other), arrives, held: Default::default() });
        self.carry(id, true, Carried::Hello(hello));
        true
    }
}

fn lose(living: &mut Life, now: Millis) {
    living.follower.lost(now);
    (living.link, living.agreeing) = (None, None);
}
