//! The same elections and appends through our core and through the `raft` crate: who leads, in which term, and what is committed.
//!
//! Members talk at once and without loss as far as they are connected. An entry there is a record of ten bytes here; an empty entry of a new leader
//! there is the marker here. Left out is what the two decide differently on purpose: nobody stands where a leader is in reach (our voters keep
//! still for it, that crate's do without `check_quorum`), a leader that reaches no majority is given no time (ours stops), and a minority exchanges
//! nothing (how soon bytes go out that nobody can commit is for each to choose).

use std::collections::VecDeque;

use mqcontainer::protocol::ha::Epoch;
use mqcontainer::protocol::ids::{Millis, PhysicalOffset};
use mqcontainer::raft::{Action, Event, Hard, MemberId, Membership, Message, Options, Raft, Role, Term};
use raft_oracle::storage::MemStorage;
use raft_oracle::{Config, RawNode, StateRole};

use crate::chance::Chance;
use crate::log::Log;
use crate::member::index;

/// What both must agree on, for one member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Standing {
    term: i32,
    leads: bool,
    last_term: i32,
    end: i64,
    committed: i64,
}

/// A random schedule.
#[derive(Clone, Debug)]
enum Step {
    Stand(usize),
    Write(usize),
    /// These see each other; every other is alone.
    Connect(Vec<usize>),
    Restart(usize),
}

struct Theirs {
    nodes: Vec<RawNode<MemStorage>>,
    stores: Vec<MemStorage>,
}

fn node(member: usize, store: MemStorage) -> RawNode<MemStorage> {
    let id = u64::try_from(member).unwrap() + 1;
    let applied = store.initial_commit();
    let config = Config { id, heartbeat_tick: 1, election_tick: 10, pre_vote: true, applied, ..Config::default() };
    RawNode::new(&config, store, &slog::Logger::root(slog::Discard, slog::o!())).unwrap()
}

trait InitialCommit {
    fn initial_commit(&self) -> u64;
}

impl InitialCommit for MemStorage {
    fn initial_commit(&self) -> u64 {
        self.rl().hard_state().commit
    }
}

impl Theirs {
    fn new(count: usize) -> Theirs {
        let ids: Vec<u64> = (1..=u64::try_from(count).unwrap()).collect();
        let stores: Vec<MemStorage> =
            (0..count).map(|_| MemStorage::new_with_conf_state((ids.clone(), vec![]))).collect();
        let nodes = stores.iter().enumerate().map(|(member, store)| node(member, store.clone())).collect();
        Theirs { nodes, stores }
    }

    /// Until nobody has anything to say.
    fn settle(&mut self, connected: &dyn Fn(usize, usize) -> bool) {
        loop {
            let mut letters = Vec::new();
            for (node, store) in self.nodes.iter_mut().zip(&self.stores) {
                while node.has_ready() {
                    let mut ready = node.ready();
                    letters.extend(ready.take_messages());
                    store.wl().append(ready.entries()).unwrap();
                    if let Some(hard) = ready.hs() {
                        store.wl().set_hardstate(hard.clone());
                    }
                    letters.extend(ready.take_persisted_messages());
                    drop(ready.take_committed_entries());
                    let mut light = node.advance(ready);
                    if let Some(commit) = light.commit_index() {
                        store.wl().mut_hard_state().set_commit(commit);
                    }
                    letters.extend(light.take_messages());
                    drop(light.take_committed_entries());
                    node.advance_apply();
                }
            }
            if letters.is_empty() {
                return;
            }
            for letter in letters {
                let [from, to] = [letter.from, letter.to].map(|id| usize::try_from(id).unwrap() - 1);
                if connected(from, to) {
                    // What it refuses is answered in its own words.
                    let _refused = self.nodes[to].step(letter);
                }
            }
        }
    }

    fn standing(&self, member: usize) -> Standing {
        let raft = &self.nodes[member].raft;
        let bytes = |index: u64| i64::try_from(index).unwrap() * 10;
        let last = raft.raft_log.last_index();
        let last_term = i32::try_from(raft.raft_log.last_term()).unwrap();
        Standing {
            term: i32::try_from(raft.term).unwrap(),
            leads: raft.state == StateRole::Leader,
            last_term,
            end: bytes(last),
            committed: bytes(raft.raft_log.committed),
        }
    }
}

struct Ours {
    members: Vec<Member>,
    letters: VecDeque<(usize, usize, Message)>,
    tag: u64,
}

struct Member {
    raft: Raft,
    disk: Hard,
    log: Log,
    /// Each has a time of its own: only who stands, and those it asks, grow older.
    now: Millis,
    /// Whom it follows, in which term.
    follows: Option<(usize, Term)>,
}

impl Ours {
    fn new(count: usize) -> Ours {
        let voters = Membership::first((0..u32::try_from(count).unwrap()).map(MemberId));
        let disk = Hard { term: Term(0), voted_for: None, membership: voters };
        let member = |me: usize| Member {
            raft: new_life(me, &disk, 0, Millis(0)),
            disk: disk.clone(),
            log: Log::default(),
            now: Millis(0),
            follows: None,
        };
        Ours { members: (0..count).map(member).collect(), letters: VecDeque::new(), tag: 0 }
    }

    fn turn(&mut self, me: usize, event: Option<Event>) {
        let mut events = VecDeque::from([event]);
        while let Some(event) = events.pop_front() {
            let member = &mut self.members[me];
            let (log, mut actions) = (member.log.log_end(), Vec::new());
            match event {
                Some(event) => member.raft.handle(member.now, event, log, &mut actions),
                None => member.raft.upkeep(member.now, log, &mut actions),
            }
            for action in actions {
                match action {
                    Action::Save { hard } => {
                        member.disk = hard.clone();
                        events.push_back(Some(Event::Saved { hard }));
                    }
                    Action::Send { to, message } => self.letters.push_back((me, index(to), message)),
                    Action::Follow { term, leader } => member.follows = leader.map(|leader| (index(leader), term)),
                    Action::Lead { term } => {
                        member.follows = None;
                        let start = PhysicalOffset(member.log.end());
                        member.log.epochs.begin(Epoch { number: term.0, start });
                        self.tag += 1;
                        let end = PhysicalOffset(member.log.append(term.0, self.tag, 10).end);
                        events.push_back(Some(Event::Opened { term, start, end }));
                        events.push_back(Some(Event::Durable { end }));
                    }
                    Action::Commit { .. } | Action::Members { .. } => {}
                }
            }
        }
    }

    fn settle(&mut self, connected: &dyn Fn(usize, usize) -> bool) {
        loop {
            while let Some((from, to, message)) = self.letters.pop_front() {
                if connected(from, to) {
                    let from = MemberId(u32::try_from(from).unwrap());
                    self.turn(to, Some(Event::Message { from, message }));
                }
            }
            let fetched = (0..self.members.len()).filter(|me| self.fetch(*me, connected)).count();
            if fetched == 0 && self.letters.is_empty() {
                return;
            }
        }
    }

    /// A follower makes its log its leader's, over a link of the term. Whether it was not.
    fn fetch(&mut self, me: usize, connected: &dyn Fn(usize, usize) -> bool) -> bool {
        let Some((leader, term)) = self.members[me].follows else { return false };
        let is_led = self.members[leader].raft.role() == Role::Leader && self.members[leader].raft.term() == term;
        let theirs = self.members[leader].log.clone();
        let own = &self.members[me].log;
        let is_same = own.end() == theirs.end() && own.log_end() == theirs.log_end();
        let told = self.members[leader].raft.progress().find(|(member, _)| index(*member) == me);
        let is_told = told.is_some_and(|(_, progress)| progress.matched.0 == theirs.end());
        if !is_led || !connected(me, leader) || (is_same && is_told) {
            return false;
        }
        let own = &mut self.members[me].log;
        let (end, other) = (PhysicalOffset(own.end()), PhysicalOffset(theirs.end()));
        let agreement = match end.0 {
            0 => Some(end),
            _ => own.epochs.agreement_with_elected(end, &theirs.epochs, other),
        };
        own.cut(agreement.expect("an elected leader's log agrees somewhere").0);
        for record in &theirs.records[own.records.len()..] {
            own.append(record.term, record.tag, 10);
        }
        own.epochs = theirs.epochs.clone();
        assert_eq!(own.records, theirs.records, "the logs agreed up to there");
        let matched = |member: usize| {
            let member = MemberId(u32::try_from(member).unwrap());
            Some(Event::Matched { member, term, end: PhysicalOffset(theirs.end()) })
        };
        self.turn(me, matched(me));
        self.turn(leader, matched(me));
        true
    }

    fn standing(&self, member: usize) -> Standing {
        let member = &self.members[member];
        let log = member.log.log_end();
        Standing {
            term: member.raft.term().0,
            leads: member.raft.role() == Role::Leader,
            last_term: log.epoch.0,
            end: log.end.0,
            committed: member.raft.committed().0,
        }
    }
}

fn new_life(me: usize, disk: &Hard, committed: i64, now: Millis) -> Raft {
    let me = MemberId(u32::try_from(me).unwrap());
    Raft::new(Options::default(), me, disk.clone(), PhysicalOffset(committed), now, u64::from(me.0))
}

/// Both, after the same steps.
struct Pair {
    ours: Ours,
    theirs: Theirs,
    group: Vec<usize>,
}

impl Pair {
    fn leads(&self, member: usize) -> bool {
        self.theirs.standing(member).leads
    }

    fn settle(&mut self) {
        let group = self.group.clone();
        let has_majority = group.len() * 2 > self.ours.members.len();
        let connected = |from: usize, to: usize| has_majority && group.contains(&from) && group.contains(&to);
        self.ours.settle(&connected);
        self.theirs.settle(&connected);
        // Two rounds: one finds out who is there, one tells what is committed since.
        for member in group.iter().copied().cycle().take(group.len() * 2) {
            if has_majority && self.leads(member) {
                self.theirs.nodes[member].ping();
            }
            if has_majority && self.ours.members[member].raft.role() == Role::Leader {
                let deadline = self.ours.members[member].raft.next_deadline();
                self.ours.members[member].now = self.ours.members[member].now.max(deadline);
                self.ours.turn(member, None);
            }
            self.ours.settle(&connected);
            self.theirs.settle(&connected);
        }
    }

    /// A leader that comes back to members of a later term hears of it before anything else: whether it gets rid of some bytes before would
    /// be a matter of the order of messages, of which each has its own.
    fn depose(&mut self) {
        let terms = self.group.iter().map(|member| (self.theirs.standing(*member).term, *member));
        let Some((term, from)) = terms.max() else { return };
        for to in self.group.clone() {
            let standing = self.theirs.standing(to);
            if !standing.leads || standing.term == term {
                continue;
            }
            let membership = self.ours.members[from].disk.membership.id;
            let message = Message::HeartbeatAnswer { term: Term(term), sent: Millis(0), membership };
            self.ours.turn(to, Some(Event::Message { from: MemberId(u32::try_from(from).unwrap()), message }));
            let mut letter = raft_oracle::eraftpb::Message::default();
            letter.set_msg_type(raft_oracle::eraftpb::MessageType::MsgHeartbeatResponse);
            letter.from = u64::try_from(from).unwrap() + 1;
            letter.to = u64::try_from(to).unwrap() + 1;
            letter.term = u64::try_from(term).unwrap();
            self.theirs.nodes[to].step(letter).unwrap();
        }
    }

    fn take(&mut self, step: &Step) {
        match step {
            Step::Connect(group) => {
                self.group = group.clone();
                self.depose();
            }
            Step::Stand(member) => {
                let reach = if self.group.contains(member) { self.group.clone() } else { vec![*member] };
                if reach.iter().any(|other| self.leads(*other)) {
                    return;
                }
                for other in reach {
                    let member = &mut self.ours.members[other];
                    member.now = member.now.plus(2_001);
                }
                self.ours.turn(*member, None);
                self.theirs.nodes[*member].campaign().unwrap();
            }
            Step::Write(member) if self.leads(*member) => {
                let one = &mut self.ours.members[*member];
                self.ours.tag += 1;
                let end = one.log.append(one.raft.term().0, self.ours.tag, 10).end;
                self.ours.turn(*member, Some(Event::Durable { end: PhysicalOffset(end) }));
                self.theirs.nodes[*member].propose(vec![], vec![7]).unwrap();
            }
            Step::Write(_) => return,
            Step::Restart(member) => {
                let one = &mut self.ours.members[*member];
                let committed = one.raft.committed().0;
                (one.raft, one.follows) = (new_life(*member, &one.disk, committed, one.now), None);
                self.theirs.nodes[*member] = node(*member, self.theirs.stores[*member].clone());
            }
        }
        self.settle();
    }
}

fn draw(chance: &mut Chance, count: usize) -> Step {
    let member = chance.below(count);
    match chance.below(10) {
        0..=2 => Step::Stand(member),
        3..=6 => Step::Write(member),
        7 => Step::Restart(member),
        _ => {
            let alone = chance.next();
            Step::Connect((0..count).filter(|member| alone >> (member * 2) & 3 != 0).collect())
        }
    }
}

/// One schedule; how many terms had a leader, and whether something was cut back.
fn run(seed: u64) -> (i32, u64) {
    let mut chance = Chance::new(seed);
    let count = [1, 2, 3, 3, 5, 5][chance.below(6)];
    let mut pair = Pair { ours: Ours::new(count), theirs: Theirs::new(count), group: (0..count).collect() };
    let mut story = Vec::new();
    for _ in 0..60 {
        let step = draw(&mut chance, count);
        pair.take(&step);
        story.push(step);
        for member in 0..count {
            let (ours, theirs) = (pair.ours.standing(member), pair.theirs.standing(member));
            assert_eq!(ours, theirs, "seed {seed}: n{member} after {story:?}; repeat it with RAFT_SEED={seed}");
        }
    }
    let terms = pair.ours.members.iter().map(|member| member.raft.term().0).max().unwrap();
    (terms, pair.ours.members.iter().map(|member| member.log.cuts).sum())
}

#[test]
fn both_agree_on_every_step() {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse().ok());
    let seeds = match number("RAFT_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("RAFT_SEEDS").unwrap_or(300),
    };
    let (mut terms, mut cuts, count) = (0, 0, seeds.end - seeds.start);
    for seed in seeds {
        let (more, cut) = run(seed);
        (terms, cuts) = (terms + more, cuts + cut);
    }
    println!("{count} schedules, {terms} terms, {cuts} logs made a leader's");
    assert!(terms > 0 && (cuts > 0 || count < 10));
}
