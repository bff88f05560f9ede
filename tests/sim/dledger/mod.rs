//! Three members of a DLedger group in a world of their own: the product's cores, stores, senders and followers, and Raft's letters.
//!
//! ```text
//! letters are lost, doubled, late and out of order; ways are cut, in one direction too; members die, with or without their
//! page cache; their clocks run 4 % too fast or too slow; then all heals, and the logs must become equal
//! ```
//!
//! Looked at after every step: a term has one leader; what one member holds as committed every other one holds, byte for byte, for ever;
//! what a producer was told is stored is committed.
//!
//! `SIM_SEED=n cargo test --test sim dledger` repeats one seed, `SIM_SEEDS=n` (from `SIM_FROM`) runs so many.

mod links;
mod member;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use mqcontainer::broker::action::RequestId;
use mqcontainer::broker::event::Event;
use mqcontainer::config::Broker;
use mqcontainer::protocol::command::Command;
use mqcontainer::protocol::ids::{Millis, PhysicalOffset};
use mqcontainer::protocol::raft::{MemberId, Message, Term};
use mqcontainer::raft;
use mqcontainer::store::{Job, Patience};

use crate::disk::{Chance, Crash, SimDisk};
use crate::load::Load;
use links::{Carried, Link};
use member::{FileWrite, Life, Outcome};

const MEMBERS: usize = 3;
/// Noon of some day.
const BEGIN: i64 = 1_700_000_000_000;
/// How long faults happen, and how long everything may take to heal.
const FAULTS_MILLIS: i64 = 12_000;
const HEAL_MILLIS: i64 = 20_000;
const SEEDS: u64 = 60;

enum Happening {
    Wake { member: usize, life: u64 },
    Job { member: usize, life: u64, job: Job },
    Write { member: usize, life: u64, write: FileWrite },
    Letter { from: usize, to: usize, message: Message },
    Carried { link: u64, to_leader: bool, carried: Carried },
    Start { member: usize },
    Send,
    Fault,
    Heal,
}

struct Node {
    config: Arc<Broker>,
    disk: SimDisk,
    life: Option<Life>,
    lives: u64,
    /// Thousandths by which its steady clock is faster.
    drift: i64,
    wakes: Option<i64>,
    /// What it has shown as committed in this life.
    committed: PhysicalOffset,
}

#[derive(Debug, Default)]
struct Coverage {
    elections: u64,
    acknowledged: usize,
    refused: usize,
    cuts: u64,
    crashes: u64,
    committed: usize,
}

struct World {
    now: i64,
    queue: BTreeMap<(i64, u64), Happening>,
    number: u64,
    nodes: Vec<Node>,
    links: BTreeMap<u64, Link>,
    cut: BTreeSet<(usize, usize)>,
    chance: Chance,
    is_sync: bool,
    load: Load,
    waiting: BTreeMap<(usize, u64, RequestId), u64>,
    requests: u64,
    leaders: BTreeMap<Term, usize>,
    /// What the group has committed, as the first member that knew had it.
    agreed: Vec<u8>,
    coverage: Coverage,
    faulty: bool,
    bug: Option<Bug>,
}

/// Mistakes that the invariants must notice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bug {
    /// A member takes everything that is in its log for committed.
    CommitAll,
    /// A follower keeps what its leader has not.
    SkipCut,
}

fn run(seed: u64, bug: Option<Bug>) -> Result<Coverage, String> {
    let mut chance = Chance::new(seed);
    let is_sync = chance.percent(50);
    let flush = if is_sync { "SYNC_FLUSH" } else { "ASYNC_FLUSH" };
    let node = |member: usize, chance: &mut Chance| Node {
        config: member::config(u32::try_from(member).unwrap(), &format!("flushDiskType = \"{flush}\"")),
        disk: SimDisk::new(chance.next()),
        life: None,
        lives: 0,
        drift: i64::try_from(chance.below(80)).unwrap() - 40,
        wakes: None,
        committed: PhysicalOffset(0),
    };
    let nodes = (0..MEMBERS).map(|member| node(member, &mut chance)).collect();
    let mut world = World {
        now: 0,
        queue: BTreeMap::new(),
        number: 0,
        nodes,
        links: BTreeMap::new(),
        cut: BTreeSet::new(),
        chance,
        is_sync,
        load: Load::default(),
        waiting: BTreeMap::new(),
        requests: 0,
        leaders: BTreeMap::new(),
        agreed: Vec::new(),
        coverage: Coverage::default(),
        faulty: true,
        bug,
    };
    for member in 0..MEMBERS {
        world.happens(0, Happening::Start { member });
    }
    world.happens(500, Happening::Send);
    world.happens(1_500, Happening::Fault);
    world.happens(FAULTS_MILLIS, Happening::Heal);
    while let Some(((at, _), happening)) = world.queue.pop_first() {
        if at > FAULTS_MILLIS + HEAL_MILLIS {
            break;
        }
        world.now = at;
        world.happen(happening).map_err(|violation| format!("at {at}: {violation}"))?;
        if !world.faulty && at > FAULTS_MILLIS + 5_000 && world.is_converged() {
            world.check_acknowledged()?;
            return Ok(world.coverage);
        }
    }
    Err(format!("the logs did not become equal: {:?}", world.ends()))
}

impl World {
    fn wall(&self) -> Millis {
        Millis(BEGIN + self.now)
    }

    /// A member's own steady clock.
    fn steady(&self, member: usize) -> Millis {
        Millis(self.now + self.now * self.nodes[member].drift / 1_000)
    }

    fn happens(&mut self, after: i64, happening: Happening) {
        self.number += 1;
        self.queue.insert((self.now + after.max(0), self.number), happening);
    }

    fn below(&mut self, limit: u64) -> i64 {
        i64::try_from(self.chance.below(limit)).unwrap()
    }

    fn is_life(&self, member: usize, life: u64) -> bool {
        self.nodes[member].life.as_ref().is_some_and(|living| living.number == life)
    }

    fn happen(&mut self, happening: Happening) -> Result<(), String> {
        match happening {
            Happening::Wake { member, life } => {
                if self.is_life(member, life) && self.nodes[member].wakes == Some(self.now) {
                    self.nodes[member].wakes = None;
                    return self.turn(member, |_, _, _| {});
                }
            }
            Happening::Job { member, life, job } if self.is_life(member, life) => {
                let done = job.run(&self.nodes[member].disk);
                return self.turn(member, |living, now, outcome| living.job_done(now, done, outcome));
            }
            Happening::Write { member, life, write } if self.is_life(member, life) => {
                use mqcontainer::env::Disk as _;
                let result = self.nodes[member].disk.replace(&write.path, &write.content, None);
                let event = (write.then)(result.map_err(|error| error.to_string()));
                return self.turn(member, |living, now, outcome| living.event(now, event, outcome));
            }
            Happening::Job { .. } | Happening::Write { .. } => {}
            Happening::Letter { from, to, message } => {
                let from = MemberId(u32::try_from(from).unwrap());
                let event = Event::Raft(raft::Event::Message { from, message });
                return self.turn(to, |living, now, outcome| living.event(now, event, outcome));
            }
            Happening::Carried { link, to_leader, carried } => return self.arrive(link, to_leader, carried),
            Happening::Start { member } => return self.start(member),
            Happening::Send => return self.send(),
            Happening::Fault => return self.fault(),
            Happening::Heal => self.heal(),
        }
        Ok(())
    }

    /// One turn of a member, and what it leaves.
    fn turn(&mut self, member: usize, act: impl FnOnce(&mut Life, Millis, &mut Outcome)) -> Result<(), String> {
        let (now, steady) = (self.wall(), self.steady(member));
        let Some(living) = &mut self.nodes[member].life else { return Ok(()) };
        let mut outcome = Outcome::default();
        living.core.elapse(steady);
        act(living, now, &mut outcome);
        living.settle(now, Vec::new(), &mut outcome);
        self.leave(member, outcome)?;
        self.run_links(member)?;
        self.look(member)
    }

    fn leave(&mut self, member: usize, outcome: Outcome) -> Result<(), String> {
        if let Some(reason) = outcome.failed {
            return Err(format!("n{member} failed: {reason}"));
        }
        let Some(life) = self.nodes[member].life.as_ref().map(|living| living.number) else { return Ok(()) };
        for (id, answer) in outcome.replies {
            self.answered(member, life, id, &answer)?;
        }
        for job in outcome.jobs {
            let takes = self.below(12);
            self.happens(takes, Happening::Job { member, life, job });
        }
        for write in outcome.files {
            let takes = self.below(15);
            self.happens(takes, Happening::Write { member, life, write });
        }
        for (to, message) in outcome.letters {
            self.post(member, to.0 as usize, message);
        }
        Ok(())
    }

    fn post(&mut self, from: usize, to: usize, message: Message) {
        let copies = match self.faulty {
            true if self.chance.percent(8) => 0,
            true if self.chance.percent(5) => 2,
            _ => 1,
        };
        if self.cut.contains(&(from, to)) {
            return;
        }
        for _ in 0..copies {
            let late = if self.faulty && self.chance.percent(3) { 700 } else { 15 };
            let takes = 1 + self.below(late);
            self.happens(takes, Happening::Letter { from, to, message: message.clone() });
        }
    }

    fn answered(&mut self, member: usize, life: u64, id: RequestId, answer: &Command) -> Result<(), String> {
        let Some(request) = self.waiting.remove(&(member, life, id)) else {
            return Err(format!("request {id:?} of n{member} is answered twice"));
        };
        match answer.code {
            0 => self.coverage.acknowledged += 1,
            _ => self.coverage.refused += 1,
        }
        // Places of messages that are not acknowledged may be given again by another leader.
        if answer.code == 0 {
            let _acknowledged = self.load.answered(request, answer)?;
        }
        Ok(())
    }

    fn send(&mut self) -> Result<(), String> {
        let pause = 3 + self.below(30);
        self.happens(pause, Happening::Send);
        if self.now > FAULTS_MILLIS + 4_000 {
            return Ok(());
        }
        let member = usize::try_from(self.chance.below(MEMBERS as u64)).unwrap();
        let (command, body) = self.load.message(self.wall().0, &mut self.chance);
        let request = self.requests;
        let Some(living) = &self.nodes[member].life else { return Ok(()) };
        let life = living.number;
        self.requests += 1;
        self.load.asked(request, body);
        let (now, steady) = (self.wall(), self.steady(member));
        let mut outcome = Outcome::default();
        if let Some(living) = &mut self.nodes[member].life {
            living.core.elapse(steady);
            let id = living.request(now, command, &mut outcome);
            self.waiting.insert((member, life, id), request);
        }
        self.leave(member, outcome)?;
        self.run_links(member)?;
        self.look(member)
    }

    fn start(&mut self, member: usize) -> Result<(), String> {
        if self.nodes[member].life.is_some() {
            return Ok(());
        }
        let (times, seed) = ((self.wall(), self.steady(member)), self.chance.next());
        let node = &mut self.nodes[member];
        node.lives += 1;
        let life = Life::open(&node.config, &node.disk, (node.lives, self.bug), times, seed)?;
        node.committed = PhysicalOffset(0);
        if std::env::var("SIM_SEED").is_ok() {
            use mqcontainer::env::Disk as _;
            let checkpoint = node.disk.read(&node.config.store.checkpoint()).unwrap_or_default();
            let long =
                |at: usize| checkpoint.get(at..at + 8).map(|bytes| i64::from_be_bytes(bytes.try_into().unwrap()));
            println!(
                "{:>6} n{member} starts: log {} committed {} shown {}, checkpoint {:?} {:?}",
                self.now,
                life.store.written(),
                life.store.committed(),
                life.store.confirmed(),
                long(32),
                long(40)
            );
        }
        node.life = Some(life);
        self.turn(member, |_, _, _| {})
    }

    fn fault(&mut self) -> Result<(), String> {
        if !self.faulty {
            return Ok(());
        }
        let pause = 200 + self.below(1_800);
        self.happens(pause, Happening::Fault);
        let member = usize::try_from(self.chance.below(MEMBERS as u64)).unwrap();
        let other = (member + 1 + usize::from(self.chance.percent(50))) % MEMBERS;
        match self.chance.below(6) {
            0 | 1 => self.crash(member),
            2 => {
                self.cut.insert((member, other));
            }
            3 => {
                for other in (0..MEMBERS).filter(|other| *other != member) {
                    self.cut.extend([(member, other), (other, member)]);
                }
            }
            4 => self.open_ways(),
            _ => {
                if let Some(link) = self.links.keys().next().copied() {
                    self.break_link(link);
                }
            }
        }
        Ok(())
    }

    /// One member dies; with SYNC_FLUSH it may lose what was not synced.
    fn crash(&mut self, member: usize) {
        if self.nodes[member].life.take().is_none() {
            return;
        }
        self.coverage.crashes += 1;
        self.nodes[member].wakes = None;
        self.waiting.retain(|(at, ..), _| *at != member);
        let power = self.is_sync && self.chance.percent(60);
        self.nodes[member].disk.crash(if power { Crash::Power } else { Crash::Process });
        let links: Vec<u64> = self
            .links
            .iter()
            .filter(|(_, link)| link.leader == member || link.follower == member)
            .map(|(id, _)| *id)
            .collect();
        links.into_iter().for_each(|link| self.break_link(link));
        let pause = self.below(2_500);
        self.happens(pause, Happening::Start { member });
    }

    fn open_ways(&mut self) {
        self.cut.clear();
        for (id, to_leader, carried) in
            self.links.iter_mut().flat_map(|(id, link)| link.release(*id)).collect::<Vec<_>>()
        {
            self.happens(1, Happening::Carried { link: id, to_leader, carried });
        }
    }

    fn heal(&mut self) {
        self.faulty = false;
        self.open_ways();
        for member in 0..MEMBERS {
            self.happens(0, Happening::Start { member });
        }
    }

    /// The invariants, as far as this member can break them.
    fn look(&mut self, member: usize) -> Result<(), String> {
        let node = &mut self.nodes[member];
        let Some(living) = &node.life else { return Ok(()) };
        let Some(group) = living.core.in_group() else { return Err("no member".to_owned()) };
        if group.raft().role() == raft::Role::Leader {
            let term = group.raft().term();
            let first = *self.leaders.entry(term).or_insert_with(|| {
                self.coverage.elections += 1;
                member
            });
            if first != member {
                return Err(format!("term {term} has two leaders, n{first} and n{member}"));
            }
        }
        let committed = living.store.committed();
        if committed < node.committed {
            return Err(format!("n{member} had committed {} and has {committed} now", node.committed));
        }
        let confirmed = living.store.confirmed();
        if confirmed > committed {
            return Err(format!("n{member} shows {confirmed}, but only {committed} is committed"));
        }
        let view = living.store.view();
        let mut at = node.committed;
        while at < committed {
            let want = usize::try_from(committed - at).unwrap();
            let bytes = view.log_bytes(at, want, Patience::MayBlock).map_err(|error| format!("{error:?}"))?;
            let bytes = bytes.ok_or(format!("n{member} cannot read {at} below {committed}"))?;
            let start = usize::try_from(at.0).unwrap();
            let known = self.agreed.len().saturating_sub(start).min(bytes.len());
            if self.agreed[start.min(self.agreed.len())..][..known] != bytes[..known] {
                return Err(format!("n{member} has committed other bytes behind {at}"));
            }
            self.agreed.extend_from_slice(&bytes[known..]);
            at = at + i64::try_from(bytes.len()).unwrap();
        }
        node.committed = committed;
        self.coverage.committed = self.agreed.len();
        self.sleep(member);
        Ok(())
    }

    /// When the member has something to do by itself.
    fn sleep(&mut self, member: usize) {
        let (wall, steady, now) = (self.wall(), self.steady(member), self.now);
        let node = &mut self.nodes[member];
        let Some(living) = &node.life else { return };
        let own = living.core.next_deadline();
        let own = living.store.next_deadline().map_or(own, |store| store.min(own)).since(wall);
        let group = living.core.member_deadline().map_or(i64::MAX / 4, |deadline| deadline.since(steady));
        let link = links::deadline(living).map_or(i64::MAX / 4, |deadline| deadline.since(wall));
        let at = now + own.min(group).min(link).clamp(1, 1_000);
        if node.wakes.is_none_or(|known| known > at || known <= now) {
            node.wakes = Some(at);
            let life = living.number;
            self.happens(at - now, Happening::Wake { member, life });
        }
    }

    fn ends(&self) -> Vec<Option<(PhysicalOffset, PhysicalOffset)>> {
        let ends = |node: &Node| node.life.as_ref().map(|living| (living.store.written(), living.store.committed()));
        self.nodes.iter().map(ends).collect()
    }

    fn is_converged(&self) -> bool {
        let ends = self.ends();
        ends.iter().all(|end| end.is_some_and(|(written, committed)| written == committed && *end == ends[0]))
            && self.waiting.is_empty()
    }

    /// Every acknowledged message is where its producer was told, in what the group has committed.
    fn check_acknowledged(&self) -> Result<(), String> {
        for message in &self.load.acknowledged {
            let at = usize::try_from(message.physical).unwrap();
            let record = self.agreed.get(at..).unwrap_or_default();
            let record = &record[..record.len().min(message.body.len() + 1_000)];
            if !record.windows(message.body.len()).any(|window| window == message.body) {
                return Err(format!("the acknowledged message at {} is lost", message.physical));
            }
        }
        Ok(())
    }
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// One seed; a panic is a violation too.
fn check(seed: u64, bug: Option<Bug>) -> Result<Coverage, String> {
    let outcome = std::panic::catch_unwind(|| run(seed, bug));
    outcome.unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        Err(text.or(panic.downcast_ref::<&str>().map(|text| (*text).to_owned())).unwrap_or("a panic".to_owned()))
    })
}

/// Seeds within which each planted bug is found.
const BUG_SEEDS: u64 = 60;

#[test]
fn dledger_planted_bugs_are_caught() {
    for bug in [Bug::CommitAll, Bug::SkipCut] {
        let caught = (0..BUG_SEEDS).find_map(|seed| check(seed, Some(bug)).err().map(|violation| (seed, violation)));
        match caught {
            Some((seed, violation)) => println!("{bug:?}: seed {seed}: {violation}"),
            None => panic!("{bug:?} is not caught within {BUG_SEEDS} seeds"),
        }
    }
}

#[test]
fn dledger_seeds() {
    let from = number("SIM_FROM").unwrap_or(0);
    let range = match number("SIM_SEED") {
        Some(seed) => seed..seed + 1,
        None => from..from + number("SIM_SEEDS").unwrap_or(SEEDS),
    };
    let mut all = Coverage::default();
    let count = range.end - range.start;
    for seed in range {
        match check(seed, None) {
            Ok(one) => {
                all.elections += one.elections;
                all.acknowledged += one.acknowledged;
                all.refused += one.refused;
                all.cuts += one.cuts;
                all.crashes += one.crashes;
                all.committed += one.committed;
            }
            Err(violation) => {
                panic!("seed {seed}: {violation}; repeat it with SIM_SEED={seed} cargo test --test sim dledger")
            }
        }
    }
    println!("{count} seeds clean: {all:?}");
    if count >= SEEDS {
        let Coverage { elections, acknowledged, refused, cuts, crashes, committed } = all;
        assert!(elections > count && cuts > 0 && crashes > count, "too little happens");
        assert!(acknowledged > 0 && refused > 0 && committed > 0, "too little is sent");
    }
}
