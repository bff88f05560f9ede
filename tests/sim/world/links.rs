//! What the tasks of links do, on simulated connections.

use mqcontainer::replication::epochs::Epochs;

use super::*;

/// Frames a link carries at a time, as a socket's buffer would.
const WINDOW: usize = 8;

impl World {
    /// Steps a member's ends of its links; when it wants to be asked again.
    pub(super) fn move_links(&mut self, member: usize) -> Result<i64, String> {
        let mut wake = self.move_follower(member)?;
        let Some(living) = &self.members[member].life else { return Ok(wake) };
        for link in living.senders.iter().map(|(link, ..)| *link).collect::<Vec<_>>() {
            wake = wake.min(self.move_sender(member, link)?);
        }
        Ok(wake)
    }

    pub(super) fn move_sender(&mut self, member: usize, link: LinkId) -> Result<i64, String> {
        let now = self.now();
        for _ in 0..WINDOW {
            let Some(living) = &mut self.members[member].life else { return Ok(i64::MAX) };
            let log = living.log.clone();
            let Some((_, sender, _)) = living.senders.iter_mut().find(|(id, ..)| *id == link) else {
                return Ok(i64::MAX);
            };
            let (epoch, at, max) = match sender.step(now, &log) {
                Ok(sender::Step::Wait { until }) => return Ok(until.0),
                Ok(sender::Step::Heartbeat { epoch, at }) => (epoch, at, 0),
                Ok(sender::Step::Send { epoch, at, max }) => (epoch, at, max),
                Err(_) => {
                    self.break_link(link);
                    return Ok(i64::MAX);
                }
            };
            let view = living.store.view();
            let body = if max == 0 { None } else { view.log_bytes(at, max, Patience::MayBlock).ok().flatten() };
            let body = body.unwrap_or_default();
            sender.sent(now, body.len());
            let head = Head { epoch, at, length: body.len() };
            self.send(link, Way::ToFollower, Message::Frame(head, body));
        }
        Ok(self.now + 1)
    }

    pub(super) fn move_follower(&mut self, member: usize) -> Result<i64, String> {
        let now = self.now();
        loop {
            let Some(living) = &mut self.members[member].life else { return Ok(i64::MAX) };
            if !living.is_ready() {
                return Ok(i64::MAX);
            }
            self.see_other_leader(member);
            self.tell_following(member);
            let Some(living) = &mut self.members[member].life else { return Ok(i64::MAX) };
            match living.follower.step(now, &living.log) {
                Ok(follower::Step::Wait { until }) => return Ok(until.0),
                Ok(follower::Step::Report(report)) => {
                    if let Some(link) = living.link {
                        self.send(link, Way::ToLeader, Message::Report(report));
                    }
                }
                Ok(follower::Step::Connect) => {
                    if let Some(wake) = self.connect(member) {
                        return Ok(wake);
                    }
                }
                Err(_) => {
                    living.follower.lost(now);
                    if let Some(link) = living.link.take() {
                        self.break_link(link);
                    }
                }
            }
        }
    }

    /// The task of the link looks whether it is to follow another member; it does not while it greets.
    fn see_other_leader(&mut self, member: usize) {
        let now = self.now();
        let Some(living) = &mut self.members[member].life else { return };
        let greets = living.link.is_some() && !living.follower.is_following();
        if greets || !std::mem::take(&mut living.goes_elsewhere) {
            return;
        }
        let leader = living.link.and_then(|link| self.network.links.get(&link)).map(|link| link.leader);
        match leader {
            None => living.follower.leader_changed(now),
            leader if leader == living.follows => {}
            Some(_) => {
                living.follower.lost(now);
                if let Some(link) = living.link.take() {
                    self.break_link(link);
                }
            }
        }
    }

    /// The core of a member that joins hears whether it follows.
    fn tell_following(&mut self, member: usize) {
        if !self.joins {
            return;
        }
        let Some(living) = &mut self.members[member].life else { return };
        let follows = living.link.is_some() && living.follower.is_following();
        if follows == std::mem::replace(&mut living.told_following, follows) {
            return;
        }
        let (life, leader) = (living.number, "leader".to_owned());
        let news = match follows {
            true => Incoming::Following { leader, dialect: Dialect::Ours, reign: None },
            false => Incoming::Parted { leader, reason: "the link is gone".to_owned() },
        };
        self.happens(0, Happening::Linked { member, life, news });
    }

    /// Connects to the leader; when to look again, if not at once.
    fn connect(&mut self, member: usize) -> Option<i64> {
        let now = self.now();
        let Some(leader) = self.members[member].life.as_ref().and_then(|living| living.follows) else {
            return Some(i64::MAX);
        };
        let (own, other) = (self.members[member].node, self.members[leader].node);
        let is_there = self.members[leader].life.is_some();
        let is_cut = self.network.is_cut(own, other) || self.network.is_cut(other, own);
        let life = self.members[leader].lives;
        let living = self.members[member].life.as_mut()?;
        if !is_there || is_cut {
            living.follower.lost(now);
            // Connecting takes its time before it fails.
            return is_cut.then_some(self.now + 3_000);
        }
        let link = self.network.connect(member, (leader, life), self.now);
        self.coverage.links += 1;
        living.link = Some(link);
        living.follower.connected(now, &living.log);
        self.send(link, Way::ToLeader, Message::Hello);
        None
    }

    pub(super) fn send(&mut self, link: LinkId, way: Way, message: Message) {
        let Some(ends) = self.network.links.get(&link) else { return };
        let (follower, leader) = (self.members[ends.follower].node, self.members[ends.leader].node);
        let (from, to) = if way == Way::ToLeader { (follower, leader) } else { (leader, follower) };
        let delay = match (from == to, self.traffic.percent(5)) {
            (true, _) => 0,
            (false, true) => self.traffic.below(400),
            (false, false) => 1 + self.traffic.below(4),
        };
        let delayed = (message, i64::try_from(delay).unwrap());
        if let Some((at, message)) = self.network.send(link, way, delayed, (from, to, self.now)) {
            self.happens(at - self.now, Happening::Arrive { link, way, message });
        }
    }

    /// A link breaks: both ends hear of it, if the ways between them are free.
    pub(super) fn break_link(&mut self, link: LinkId) {
        self.send(link, Way::ToLeader, Message::End);
        self.send(link, Way::ToFollower, Message::End);
    }

    pub(super) fn arrive(&mut self, link: LinkId, way: Way, message: Message) -> Result<(), String> {
        let Some(ends) = self.network.links.get(&link).cloned() else { return Ok(()) };
        let member = if way == Way::ToLeader { ends.leader } else { ends.follower };
        let Some(living) = &self.members[member].life else { return Ok(()) };
        let life = living.number;
        match (way, message) {
            (Way::ToLeader, Message::Hello) => self.greeted(link, ends.leader),
            (Way::ToLeader, Message::Report(report)) => self.reported(link, &ends, report, life),
            (Way::ToLeader, _) => self.with(member, life, |living, now, config, outcome| {
                living.senders.retain(|(id, ..)| *id != link);
                let closed = Incoming::Closed { session: SessionId(link.0) };
                living.event(now, Event::Replication(closed), config, outcome);
            }),
            (Way::ToFollower, _) if living.link != Some(link) => Ok(()),
            (Way::ToFollower, Message::Welcome(welcome)) => self.welcomed(member, life, link, &welcome),
            (Way::ToFollower, Message::Frame(head, body)) => self.framed(member, life, link, head, body),
            (Way::ToFollower, _) => self.with(member, life, |living, now, _, _| {
                living.link = None;
                living.follower.lost(now);
            }),
        }
    }

    pub(super) fn greeted(&mut self, link: LinkId, leader: usize) -> Result<(), String> {
        let now = self.now();
        let options = mqcontainer::broker::link_options(&self.members[leader].config);
        let Some(living) = &mut self.members[leader].life else { return Ok(()) };
        if !living.log.leads {
            self.coverage.turned_away += 1;
            self.break_link(link);
            return Ok(());
        }
        if self.joins && leader == LEADER {
            admitted::check(living.has_led)?;
        }
        living.senders.push((link, Sender::new(options, Dialect::Ours, None, now), false));
        let welcome = Welcome { end: living.log.end, epochs: living.log.epochs.list().to_vec(), reign: None };
        let life = living.number;
        self.send(link, Way::ToFollower, Message::Welcome(welcome));
        self.with(leader, life, |_, _, _, _| {})
    }

    pub(super) fn reported(
        &mut self,
        link: LinkId,
        ends: &crate::network::Link,
        report: mqcontainer::protocol::ha::Report,
        life: u64,
    ) -> Result<(), String> {
        let now = self.now();
        let believes = self.bug == Some(Bug::BelieveReports) && self.traffic.percent(5);
        let (broker, leader) = (self.members[ends.follower].config.identity.id, ends.leader);
        let Some(living) = &mut self.members[leader].life else { return Ok(()) };
        let log = living.log.clone();
        let Some((_, sender, opened)) = living.senders.iter_mut().find(|(id, ..)| *id == link) else { return Ok(()) };
        let end = match sender.reported(now, report, &log) {
            Ok(end) if believes => end + 5_000,
            Ok(end) => end,
            Err(_) => {
                self.break_link(link);
                return Ok(());
            }
        };
        let first = !std::mem::replace(opened, true);
        self.with(leader, life, |living, now, config, outcome| {
            living.reported(now, (link, broker), (first, end), config, outcome);
        })
    }

    /// The leader has greeted: the log is cut back if need be, then the epochs are written, then bytes may come.
    pub(super) fn welcomed(&mut self, member: usize, life: u64, link: LinkId, welcome: &Welcome) -> Result<(), String> {
        let (now, skips) = (self.now(), self.bug == Some(Bug::SkipCut));
        let Some(living) = &mut self.members[member].life else { return Ok(()) };
        let log = living.log.clone();
        let agreed = living.follower.welcomed(now, welcome, &log);
        if self.tells {
            let (own, other) = (log.epochs.list(), &welcome.epochs);
            let at = self.now - BEGIN;
            println!("{at:>9} {member} greeted: own {} {own:?}, leader {} {other:?}: {agreed:?}", log.end, welcome.end);
        }
        let cut = match agreed {
            Ok(agreed) => agreed.cut,
            // It asks again: the slave has lost what it has said it has.
            Err(_) if member == LEADER => {
                living.follower.lost(now);
                living.link = None;
                self.break_link(link);
                return self.with(member, life, |_, _, _, _| {});
            }
            Err(reason) => return Err(format!("member {member} cannot follow: {reason}")),
        };
        living.adopting = Some(Epochs::new(welcome.epochs.iter().copied()));
        let Some(to) = cut else {
            return self.with(member, life, |living, now, config, outcome| {
                let mut actions = Vec::new();
                living.adopt(now, &mut actions);
                living.settle(now, actions, outcome, config);
            });
        };
        if member == LEADER {
            return self.with(member, life, |living, now, config, outcome| living.cut(now, to, config, outcome));
        }
        self.coverage.cuts_of_logs += 1;
        if skips {
            let report = mqcontainer::protocol::ha::Report { epoch: 0, end: log.end };
            living.follower.connected(now, &log);
            living.follower.answered_in_java(now, &log);
            self.send(link, Way::ToLeader, Message::Report(report));
            return Ok(());
        }
        kept::check(member, to.0, &self.acknowledged_of(member, to.0))?;
        self.held[member] = self.held[member].min(to.0);
        self.with(member, life, |living, now, config, outcome| living.cut(now, to, config, outcome))
    }

    pub(super) fn framed(
        &mut self,
        member: usize,
        life: u64,
        link: LinkId,
        head: Head,
        body: Bytes,
    ) -> Result<(), String> {
        let now = self.now();
        let Some(living) = &mut self.members[member].life else { return Ok(()) };
        if living.follower.frame(now, &head).is_err() {
            living.follower.lost(now);
            living.link = None;
            self.break_link(link);
            return self.with(member, life, |_, _, _, _| {});
        }
        let body = if self.bug == Some(Bug::TurnBit) && body.len() > 60 && self.traffic.percent(1) {
            let mut turned = body.to_vec();
            // Within the born host, which no CRC covers.
            turned[50] ^= 1;
            turned.into()
        } else {
            body
        };
        let (at, end) = (head.at, head.at + i64::try_from(body.len()).unwrap());
        self.coverage.fetched += u64::from(member == LEADER && !body.is_empty());
        self.with(member, life, |living, now, config, outcome| {
            if !body.is_empty() {
                living.received(now, (head.epoch, at), body, config, outcome);
            }
        })?;
        let link = self.network.links.get(&link);
        match link.filter(|link| link.life == self.members[link.leader].lives).map(|link| link.leader) {
            Some(leader) => self.compare(leader, member, at, end),
            None => Ok(()),
        }
    }

    /// The part of a follower's log that has just come, beside its leader's.
    pub(super) fn compare(
        &self,
        leader: usize,
        member: usize,
        at: PhysicalOffset,
        end: PhysicalOffset,
    ) -> Result<(), String> {
        let (Some(leader), Some(follower)) = (&self.members[leader].life, &self.members[member].life) else {
            return Ok(());
        };
        let len = usize::try_from(end - at).unwrap();
        let read =
            |store: &mqcontainer::store::Store| store.view().log_bytes(at, len, Patience::MayBlock).ok().flatten();
        match (read(&leader.store), read(&follower.store)) {
            (Some(one), Some(other)) => prefix::check(at.0, &one, &other),
            _ => Ok(()),
        }
    }
}
