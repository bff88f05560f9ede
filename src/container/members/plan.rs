//! Who is where, who is to be dialed when, which of two streams stays: pure.

use std::collections::BTreeMap;
use std::time::Duration;

use super::Seat;
use crate::config::Peer;
use crate::protocol::raft::{Life, MemberId, Roster};

/// First pause after an attempt that failed; doubles.
const PAUSE_MIN: Duration = Duration::from_millis(50);

/// Longest pause.
const PAUSE_MAX: Duration = Duration::from_secs(1);

/// Streams of one container; a group has a handful of members, and a container that shares no group with this one is not kept.
pub(super) const STREAMS_MAX: usize = 256;

/// One stream, in the order they were opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct StreamId(pub u64);

/// Which process is at the other end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ContainerId(pub u128);

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Action {
    /// Connect; answered by [`Plan::opened`] or [`Plan::not_opened`].
    Dial { address: String },
    /// Close it; [`Plan::closed`] is not needed any more.
    Close { stream: StreamId },
    /// Tell a member of this process that another one has ended.
    Gone { to: Seat, member: MemberId },
}

/// Where a letter goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// To a member of this process.
    Here,
    /// Over this stream.
    Over(StreamId),
    /// Nowhere.
    None,
}

/// How an attempt to connect ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// Nobody listens there.
    Refused,
    /// Anything else: nothing is known of who is there.
    Other,
}

/// A member of this process.
#[derive(Debug)]
struct Own {
    peers: Vec<Peer>,
    life: Life,
}

/// Another container that was heard of.
#[derive(Debug)]
struct Container {
    /// None when it was closed.
    stream: Option<StreamId>,
    dialed_here: bool,
    /// It has said who is in it.
    introduced: bool,
    /// As it last said; kept when the stream is closed, for it may be the stream that ended and not the container.
    roster: Roster,
}

/// Where a member that is not here is looked for.
#[derive(Debug)]
struct Target {
    dialing: bool,
    failures: u32,
    due: Duration,
}

#[derive(Debug)]
pub(super) struct Plan {
    me: ContainerId,
    own: BTreeMap<Seat, Own>,
    containers: BTreeMap<ContainerId, Container>,
    targets: BTreeMap<String, Target>,
    opened: u64,
    lives: u32,
}

impl Plan {
    pub(super) fn new(me: ContainerId) -> Plan {
        let (own, containers, targets) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        Plan { me, own, containers, targets, opened: 0, lives: 0 }
    }

    /// Who is here, as the other containers are to know it.
    pub(super) fn roster(&self) -> Roster {
        let entry = |(seat, own): (&Seat, &Own)| ((seat.group.clone(), seat.member), own.life);
        Roster(self.own.iter().map(entry).collect())
    }

    /// A member has started here.
    pub(super) fn came(&mut self, seat: Seat, peers: Vec<Peer>, now: Duration) {
        self.lives += 1;
        self.own.insert(seat, Own { peers, life: Life(self.lives) });
        self.aim(now);
    }

    /// The peers of a member have changed.
    pub(super) fn changed(&mut self, seat: &Seat, peers: Vec<Peer>, now: Duration) {
        if let Some(own) = self.own.get_mut(seat) {
            own.peers = peers;
        }
        self.aim(now);
    }

    /// A member here has ended.
    pub(super) fn ended(&mut self, seat: &Seat, now: Duration, actions: &mut Vec<Action>) {
        if self.own.remove(seat).is_some() {
            self.tell_gone(seat, actions);
            self.aim(now);
            self.drop_strangers(actions);
        }
    }

    /// A stream to a container stands: its id, or none when it is not wanted.
    pub(super) fn opened(
        &mut self,
        container: ContainerId,
        dialed: Option<&str>,
        now: Duration,
        actions: &mut Vec<Action>,
    ) -> Option<StreamId> {
        let dialed_here = dialed.is_some();
        if let Some(address) = dialed {
            // It counts as an attempt that failed until the roster has who is wanted there.
            self.rest(address, now);
        }
        let streams = self.containers.values().filter(|other| other.stream.is_some()).count();
        let known = self.containers.get(&container);
        let before = known.and_then(|known| Some((known.stream?, known.dialed_here)));
        let lower_dials = self.me < container;
        let stays = before.is_some_and(|(_, before_here)| before_here != dialed_here && before_here == lower_dials);
        if container == self.me || stays || (before.is_none() && streams >= STREAMS_MAX) {
            return None;
        }
        if let Some((stream, _)) = before {
            actions.push(Action::Close { stream });
        }
        self.opened += 1;
        let stream = StreamId(self.opened);
        let roster = self.containers.remove(&container).map(|known| known.roster).unwrap_or_default();
        self.containers.insert(container, Container { stream: Some(stream), dialed_here, introduced: false, roster });
        Some(stream)
    }

    /// An attempt came to nothing.
    pub(super) fn not_opened(&mut self, address: &str, failure: Failure, now: Duration, actions: &mut Vec<Action>) {
        self.rest(address, now);
        if failure != Failure::Refused {
            return;
        }
        let at_address = |(seat, own): (&Seat, &Own)| {
            let peer = own.peers.iter().find(|peer| peer.address == address)?;
            Some(Seat { group: seat.group.clone(), member: MemberId(peer.member) })
        };
        let missing = |seat: &Seat| self.stream_of(seat).is_none();
        let seats: Vec<Seat> = self.own.iter().filter_map(at_address).filter(missing).collect();
        for seat in seats {
            self.lose(&seat, None, actions);
        }
    }

    /// Who is in the container behind a stream.
    pub(super) fn told(&mut self, stream: StreamId, roster: Roster, now: Duration, actions: &mut Vec<Action>) {
        let Some(id) = self.container_of(stream) else { return };
        let Some(container) = self.containers.get_mut(&id) else { return };
        container.introduced = true;
        let before = std::mem::replace(&mut container.roster, roster.clone());
        for ((group, member), life) in &before.0 {
            if roster.0.get(&(group.clone(), *member)) != Some(life) {
                self.tell_gone(&Seat { group: group.clone(), member: *member }, actions);
            }
        }
        // Whoever is in two places has left the one that was heard of before.
        for (group, member) in roster.0.keys() {
            self.lose(&Seat { group: group.clone(), member: *member }, Some(id), actions);
        }
        self.aim(now);
        self.drop_strangers(actions);
    }

    /// A stream has ended by itself: whoever is missed is looked for at once.
    pub(super) fn closed(&mut self, stream: StreamId, now: Duration) {
        let Some(id) = self.container_of(stream) else { return };
        if let Some(container) = self.containers.get_mut(&id) {
            container.stream = None;
        }
        for target in self.targets.values_mut() {
            target.due = now;
        }
        self.aim(now);
        self.forget_empty();
    }

    /// The way to a member.
    pub(super) fn way(&self, seat: &Seat) -> Way {
        match self.own.contains_key(seat) {
            true => Way::Here,
            false => self.stream_of(seat).map_or(Way::None, Way::Over),
        }
    }

    /// Whether a member here has this one among its peers.
    pub(super) fn knows(&self, to: &Seat, from: MemberId) -> bool {
        to.member != from && self.own.get(to).is_some_and(|own| own.peers.iter().any(|peer| peer.member == from.0))
    }

    /// Whether a letter of this sender may come over this stream.
    pub(super) fn speaks_for(&self, stream: StreamId, from: &Seat) -> bool {
        self.stream_of(from) == Some(stream)
    }

    /// Whom to dial now.
    pub(super) fn due(&mut self, now: Duration) -> Vec<Action> {
        let due = self.targets.iter_mut().filter(|(_, target)| !target.dialing && target.due <= now);
        let dial = |(address, target): (&String, &mut Target)| {
            target.dialing = true;
            Action::Dial { address: address.clone() }
        };
        due.map(dial).collect()
    }

    /// When [`Plan::due`] has something next.
    pub(super) fn next_due(&self) -> Option<Duration> {
        self.targets.values().filter(|target| !target.dialing).map(|target| target.due).min()
    }

    /// Streams that stand.
    pub(super) fn streams(&self) -> usize {
        self.containers.values().filter(|container| container.stream.is_some()).count()
    }

    fn container_of(&self, stream: StreamId) -> Option<ContainerId> {
        self.containers.iter().find(|(_, container)| container.stream == Some(stream)).map(|(id, _)| *id)
    }

    /// A member is in the container that said so last.
    fn stream_of(&self, seat: &Seat) -> Option<StreamId> {
        let key = (seat.group.clone(), seat.member);
        self.containers.values().filter(|container| container.roster.0.contains_key(&key)).find_map(|one| one.stream)
    }

    /// Keeps a target for every address of a peer that is neither here nor behind a stream.
    fn aim(&mut self, now: Duration) {
        let mut wanted = BTreeMap::new();
        for (seat, own) in &self.own {
            for peer in &own.peers {
                let other = Seat { group: seat.group.clone(), member: MemberId(peer.member) };
                if self.way(&other) == Way::None {
                    wanted.insert(peer.address.clone(), ());
                }
            }
        }
        self.targets.retain(|address, target| target.dialing || wanted.contains_key(address));
        for address in wanted.into_keys() {
            self.targets.entry(address).or_insert(Target { dialing: false, failures: 0, due: now });
        }
    }

    fn rest(&mut self, address: &str, now: Duration) {
        if let Some(target) = self.targets.get_mut(address) {
            target.dialing = false;
            target.due = now + PAUSE_MIN.saturating_mul(1 << target.failures.min(8)).min(PAUSE_MAX);
            target.failures = target.failures.saturating_add(1);
        }
        // Those that are not wanted any more were kept for this answer only.
        self.aim(now);
    }

    /// A member is not where it was, in any container but `except`.
    fn lose(&mut self, seat: &Seat, except: Option<ContainerId>, actions: &mut Vec<Action>) {
        let key = (seat.group.clone(), seat.member);
        let others = self.containers.iter_mut().filter(|(id, _)| Some(**id) != except);
        let lost = others.filter_map(|(_, container)| container.roster.0.remove(&key)).count();
        if lost > 0 {
            self.tell_gone(seat, actions);
        }
        self.forget_empty();
    }

    /// Tells the members of its group that are here.
    fn tell_gone(&self, gone: &Seat, actions: &mut Vec<Action>) {
        let others = self.own.iter().filter(|(seat, own)| {
            seat.group == gone.group
                && seat.member != gone.member
                && own.peers.iter().any(|peer| peer.member == gone.member.0)
        });
        actions.extend(others.map(|(to, _)| Action::Gone { to: to.clone(), member: gone.member }));
    }

    /// Closes streams to containers that share no group with this one.
    fn drop_strangers(&mut self, actions: &mut Vec<Action>) {
        let own = &self.own;
        let shares = |container: &Container| {
            container.roster.0.keys().any(|(group, member)| {
                own.iter()
                    .any(|(seat, own)| seat.group == *group && own.peers.iter().any(|peer| peer.member == member.0))
            })
        };
        self.containers.retain(|_, container| {
            let kept = shares(container) || (container.stream.is_some() && !container.introduced);
            if let Some(stream) = container.stream.filter(|_| !kept) {
                actions.push(Action::Close { stream });
            }
            kept
        });
    }

    fn forget_empty(&mut self) {
        self.containers.retain(|_, container| container.stream.is_some() || !container.roster.0.is_empty());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seat(group: &str, member: u32) -> Seat {
        Seat { group: group.into(), member: MemberId(member) }
    }

    /// `g` has n0 at `a:1`, n1 at `b:1`, n2 at `c:1`.
    fn peers() -> Vec<Peer> {
        let peer = |(member, host): (u32, &str)| Peer { member, address: format!("{host}:1") };
        [(0, "a"), (1, "b"), (2, "c")].map(peer).to_vec()
    }

    fn roster(members: &[(u32, u32)]) -> Roster {
        Roster(members.iter().map(|(member, life)| (("g".into(), MemberId(*member)), Life(*life))).collect())
    }

    /// The container with this number, whose member is n0.
    fn plan(me: u128) -> Plan {
        let mut plan = Plan::new(ContainerId(me));
        plan.came(seat("g", 0), peers(), Duration::ZERO);
        plan
    }

    fn dials(plan: &mut Plan, millis: u64) -> Vec<String> {
        let address = |action| match action {
            Action::Dial { address } => address,
            other => panic!("{other:?}"),
        };
        plan.due(Duration::from_millis(millis)).into_iter().map(address).collect()
    }

    fn gone(member: u32) -> Action {
        Action::Gone { to: seat("g", 0), member: MemberId(member) }
    }

    #[test]
    fn whoever_is_missed_is_dialed_at_once_and_then_with_pauses() {
        let mut plan = plan(5);
        assert_eq!(dials(&mut plan, 0), ["b:1", "c:1"]);
        assert_eq!((dials(&mut plan, 9_000).len(), plan.next_due()), (0, None), "one attempt at a time");
        let mut pauses = Vec::new();
        let mut now = Duration::ZERO;
        for _ in 0..7 {
            plan.not_opened("b:1", Failure::Other, now, &mut Vec::new());
            let due = plan.next_due().expect("tried again");
            pauses.push((due - now).as_millis());
            now = due;
            assert_eq!(plan.due(now).len(), 1);
        }
        assert_eq!(pauses, [50, 100, 200, 400, 800, 1_000, 1_000]);
    }

    #[test]
    fn a_roster_ends_the_search_for_all_who_are_in_it() {
        let (mut plan, mut actions) = (plan(5), Vec::new());
        let now = Duration::ZERO;
        dials(&mut plan, 0);
        let stream = plan.opened(ContainerId(9), Some("b:1"), now, &mut actions).expect("wanted");
        assert_eq!(plan.way(&seat("g", 1)), Way::None, "it has not said who is there");
        plan.told(stream, roster(&[(1, 1), (2, 1)]), now, &mut actions);
        assert_eq!([1, 2].map(|member| plan.way(&seat("g", member))), [Way::Over(stream); 2]);
        assert_eq!((dials(&mut plan, 99_000), actions), (vec![], vec![]));
        // One leaves while its container stays, another begins a new life.
        let mut actions = Vec::new();
        plan.told(stream, roster(&[(2, 2)]), now, &mut actions);
        assert_eq!(actions, [gone(1), gone(2)]);
        assert_eq!(dials(&mut plan, 0), ["b:1"]);
        // The stream ends: they are looked for at once, and gone only when their ports refuse.
        plan.closed(stream, now);
        assert_eq!((plan.way(&seat("g", 2)), plan.streams()), (Way::None, 0));
        plan.not_opened("c:1", Failure::Other, now, &mut actions);
        assert_eq!(actions.len(), 2);
        for _ in 0..2 {
            plan.not_opened("c:1", Failure::Refused, now, &mut actions);
            assert_eq!(actions[2..], [gone(2)], "told once");
        }
    }

    #[test]
    fn of_two_streams_both_sides_keep_the_same() {
        // Both have dialed; `low` has the lower number. Whichever greeting comes first at either side, the one that `low` dialed stays.
        let check = |me: u128, other: u128, first_dialed_here: bool, first_stays: bool| {
            let (mut plan, mut actions) = (plan(me), Vec::new());
            let address = |here: bool| here.then_some("b:1");
            let container = ContainerId(other);
            let first = plan.opened(container, address(first_dialed_here), Duration::ZERO, &mut actions);
            let second = plan.opened(container, address(!first_dialed_here), Duration::ZERO, &mut actions);
            let closed = actions == first.map(|stream| Action::Close { stream }).into_iter().collect::<Vec<_>>();
            assert_eq!((second.is_none(), closed), (first_stays, !first_stays), "{me} {first_dialed_here}");
            assert_eq!(plan.streams(), 1);
        };
        check(1, 2, true, true);
        check(1, 2, false, false);
        check(2, 1, true, false);
        check(2, 1, false, true);
        // Of two dialed by one side the newer.
        let (mut plan, mut actions) = (plan(1), Vec::new());
        let first = plan.opened(ContainerId(2), None, Duration::ZERO, &mut actions).expect("wanted");
        assert!(plan.opened(ContainerId(2), None, Duration::ZERO, &mut actions).is_some());
        assert_eq!(actions, [Action::Close { stream: first }]);
        assert_eq!(plan.opened(ContainerId(1), None, Duration::ZERO, &mut actions), None, "itself");
    }

    #[test]
    fn another_process_in_the_place_of_one_says_that_it_is_gone() {
        let (mut plan, mut actions) = (plan(5), Vec::new());
        let now = Duration::ZERO;
        let old = plan.opened(ContainerId(9), None, now, &mut actions).expect("wanted");
        plan.told(old, roster(&[(1, 4), (2, 1)]), now, &mut actions);
        let new = plan.opened(ContainerId(10), None, now, &mut actions).expect("wanted");
        plan.told(new, roster(&[(1, 4)]), now, &mut actions);
        assert_eq!(actions, [gone(1)]);
        assert_eq!((plan.way(&seat("g", 1)), plan.way(&seat("g", 2))), (Way::Over(new), Way::Over(old)));
        assert!(plan.speaks_for(new, &seat("g", 1)) && !plan.speaks_for(old, &seat("g", 1)));
    }

    #[test]
    fn strangers_are_not_kept() {
        let (mut plan, mut actions) = (plan(5), Vec::new());
        let now = Duration::ZERO;
        let stream = plan.opened(ContainerId(9), None, now, &mut actions).expect("wanted");
        plan.told(stream, roster(&[(7, 1)]), now, &mut actions);
        assert_eq!((actions, plan.streams()), (vec![Action::Close { stream }], 0));
        let mut actions = Vec::new();
        for number in 0..STREAMS_MAX {
            assert!(plan.opened(ContainerId(100 + number as u128), None, now, &mut actions).is_some());
        }
        assert_eq!(plan.opened(ContainerId(99), None, now, &mut actions), None);
        // The last member leaves: nobody is needed any more, and whoever has not said who is there is waited for.
        plan.ended(&seat("g", 0), now, &mut actions);
        assert_eq!((plan.streams(), plan.next_due()), (STREAMS_MAX, None));
    }
}
