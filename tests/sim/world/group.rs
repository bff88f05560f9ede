//! What a group needs to join: a NameServer that says who is there, questions between members, and a look at who begins to lead.

use mqcontainer::broker::Members;
use mqcontainer::broker::action::AfterCall;
use mqcontainer::protocol::codes::request;
use mqcontainer::protocol::ids::BrokerId;

use super::*;
use crate::member::Call;

/// So often the NameServer is asked who is there.
const NAMED_EVERY: i64 = 1_000;

/// The NameServer's list, and the requests under way between members.
pub(super) struct Group {
    chance: Chance,
    /// A member that is silent for so long is dropped.
    expiry: i64,
    /// Until when each member is listed.
    listed_until: Vec<i64>,
    /// Who waits for an answer: a life of a member, and what it asked for.
    calls: BTreeMap<u64, (usize, u64, AfterCall)>,
    next_call: u64,
}

impl Group {
    pub(super) fn new(members: usize, mut chance: Chance) -> Group {
        let expiry = 2_000 + i64::try_from(chance.below(8_000)).unwrap();
        Group { chance, expiry, listed_until: vec![0; members], calls: BTreeMap::new(), next_call: 0 }
    }
}

impl World {
    /// A broker has started: without joining a slave knows its leader.
    pub(super) fn begin_part(&mut self, member: usize) {
        if let Some(living) = self.members[member].life.as_mut().filter(|_| !self.joins && member != LEADER) {
            living.follows = Some(LEADER);
        }
    }

    /// The NameServer may see the connection of a broker that dies end, or drop it when it has been silent for long.
    pub(super) fn unlist(&mut self, member: usize) {
        if self.group.chance.percent(50) {
            self.group.listed_until[member] = 0;
        }
    }

    /// Brokers that take part stay listed; those for which the list has changed hear of it, mostly.
    pub(super) fn name_members(&mut self) -> Result<(), String> {
        self.happens(NAMED_EVERY, Happening::Named);
        for (member, until) in self.members.iter().zip(&mut self.group.listed_until) {
            // What cuts a machine off from another one may cut it off from the NameServer.
            let is_heard = !self.network.is_cut_off(member.node) || self.group.chance.percent(20);
            if is_heard && member.life.as_ref().is_some_and(|living| living.core.presence() == Presence::Online) {
                *until = self.now + self.group.expiry;
            }
        }
        let address = |member: &Member| format!("127.0.0.1:{}", member.config.ports.main);
        let listed = self.members.iter().zip(&self.group.listed_until).filter(|(_, until)| **until > self.now);
        let members = Members(listed.map(|(member, _)| (member.config.identity.id, address(member))).collect());
        for member in 0..self.members.len() {
            let Some(living) = &self.members[member].life else { continue };
            if living.named.as_ref() == Some(&members) || self.group.chance.percent(10) {
                continue;
            }
            let (life, members) = (living.number, members.clone());
            self.with(member, life, |living, now, config, outcome| {
                living.members_named(now, members, config, outcome);
            })?;
        }
        Ok(())
    }

    /// A member asks another one; no answer comes when a way is cut, or when a whole machine is gone.
    pub(super) fn call(&mut self, from: usize, life: u64, call: Call) {
        let Call { to, command, timeout_millis, then } = call;
        let id = self.group.next_call;
        self.group.next_call += 1;
        self.group.calls.insert(id, (from, life, then));
        let timeout = i64::try_from(timeout_millis).unwrap();
        self.happens(timeout, Happening::Called { call: id, answer: Err("timeout".to_owned()) });
        let question = command.code;
        self.tell(|| format!("{from} asks {to}: {question}"));
        if self.bug == Some(Bug::LeadUncompared) && question == request::GET_BROKER_EPOCH_CACHE {
            return self.happens(1, Happening::Called { call: id, answer: Ok(Command::default()) });
        }
        if let Some(delay) = self.delay(from, to) {
            self.happens(delay, Happening::Asked { call: id, to, command });
        }
    }

    /// How long a request or an answer takes; `None` while the way is cut.
    fn delay(&mut self, from: usize, to: usize) -> Option<i64> {
        let (from, to) = (self.members[from].node, self.members[to].node);
        let longest = if self.group.chance.percent(5) { 2_000 } else { 5 };
        let millis = 1 + self.group.chance.below(longest);
        (!self.network.is_cut(from, to)).then(|| i64::try_from(millis).unwrap())
    }

    pub(super) fn asked(&mut self, call: u64, to: usize, command: Command) -> Result<(), String> {
        let Some(living) = &self.members[to].life else {
            if self.group.chance.percent(70) {
                self.happens(1, Happening::Called { call, answer: Err("refused".to_owned()) });
            }
            return Ok(());
        };
        let life = living.number;
        self.with(to, life, |living, now, config, outcome| living.asked(now, call, command, config, outcome))
    }

    pub(super) fn answer_call(&mut self, from: usize, call: u64, answer: Command) {
        let Some(to) = self.group.calls.get(&call).map(|(to, ..)| *to) else { return };
        if let Some(delay) = self.delay(from, to) {
            self.happens(delay, Happening::Called { call, answer: Ok(answer) });
        }
    }

    /// An answer, or the end of its time; whichever is first.
    pub(super) fn called(&mut self, call: u64, answer: Result<Command, String>) -> Result<(), String> {
        let Some((member, life, then)) = self.group.calls.remove(&call) else { return Ok(()) };
        self.with(member, life, |living, now, config, outcome| {
            living.event(now, Event::Called { then, answer }, config, outcome);
        })
    }

    /// A master that lets followers in for the first time begins an epoch; what it has not was allowed to be lost.
    pub(super) fn look_who_leads(&mut self, member: usize) -> Result<(), String> {
        let Some(living) = self.members[member].life.as_mut().filter(|_| member == LEADER) else { return Ok(()) };
        if living.has_led || !living.core.log_state(&living.store, 0).leads {
            return Ok(());
        }
        living.has_led = true;
        let (end, epoch) = (living.store.written(), living.log.epochs.newest().map_or(0, |epoch| epoch.number));
        let named = living.named_to_leader.take().unwrap_or_default();
        self.tell(|| format!("{member} leads: {end} epoch {epoch}, {named:?} were named"));
        if self.joins {
            self.coverage.led += 1;
            let others =
                named.0.keys().filter(|id| **id != BrokerId::MASTER).filter_map(|id| usize::try_from(id.0).ok());
            let held: Vec<_> = others.map(|other| (other, self.acknowledged_of(other, end.0))).collect();
            survived::check(end.0, &held)?;
        }
        self.load.lost(end.0);
        if self.joins {
            // Fetched or not, it is here now, and stays as long as the page cache does.
            let last = self.load.acknowledged.iter().map(|message| message.physical + 1).max();
            self.promised = self.promised.max(last.unwrap_or_default());
        }
        self.epochs.push(epoch);
        epochs::check(&self.epochs)
    }

    /// Where the acknowledged messages from `from` on begin that a living member holds.
    pub(super) fn acknowledged_of(&self, member: usize, from: i64) -> Vec<i64> {
        let Some(living) = &self.members[member].life else { return Vec::new() };
        let view = living.store.view();
        let holds = |message: &&crate::load::Acknowledged| {
            let record = view.record_at(PhysicalOffset(message.physical), Patience::MayBlock).ok().flatten();
            record.is_some_and(|record| record.windows(message.body.len()).any(|window| window == message.body))
        };
        self.load.behind(from).filter(holds).map(|message| message.physical).collect()
    }
}
