//! One store leads, another follows; both crash, and they change places.

use std::collections::BTreeMap;

use mqcontainer::config::FlushDiskType;
use mqcontainer::protocol::ids::{Millis, PhysicalOffset};
use mqcontainer::store::{Event, KeyQuery};

use crate::copies::bytes_at;
use crate::disk::{Chance, Crash};
use crate::seeds;
use crate::world::{Stored, World, random_batches};

/// Seeds of an ordinary run.
const SEEDS: u64 = 100;

#[test]
fn copy_seeds() {
    seeds::run("copy_seeds", SEEDS, live);
}

struct Pair {
    leader: World,
    follower: World,
    /// All records of the leader's log in their order, also those of topics that were deleted.
    history: Vec<Stored>,
    /// Records that were cut off.
    gone: Vec<Stored>,
    /// A connection stands, and goes on here.
    connection: Option<PhysicalOffset>,
    /// Queues may begin anew: their topic is deleted, or the follower has only the newest file. Then nothing is cut off, because
    /// a queue does not come back that a record behind the cut has replaced.
    restarts: bool,
    deletes: bool,
}

fn flush(chance: &mut Chance) -> FlushDiskType {
    if chance.percent(50) { FlushDiskType::Sync } else { FlushDiskType::Async }
}

fn live(seed: u64) {
    let mut chance = Chance::new(seed);
    let deletes = chance.percent(25);
    let late = chance.percent(25);
    let mut pair = Pair {
        leader: World::new(seed, flush(&mut chance)),
        follower: World::new(seed + 1_000_000, flush(&mut chance)),
        history: Vec::new(),
        gone: Vec::new(),
        connection: None,
        restarts: deletes || late,
        deletes,
    };
    // No two messages have the same key.
    pair.follower.bodies = 1_000_000;
    pair.follower.store().follow_master();
    if late {
        (0..20).for_each(|_| pair.append(&mut chance));
    }
    for _ in 0..1 + chance.below(4) {
        for _ in 0..20 + chance.below(150) {
            pair.step(&mut chance);
        }
        match chance.below(10) {
            0 | 1 => pair.restart_leader(&mut chance),
            2..=5 => pair.restart_follower(&mut chance),
            6 | 7 => pair.change_places(&mut chance),
            _ => pair.cut_somewhere(&mut chance),
        }
    }
    pair.converge();
}

/// What queues hold of these records: a number that comes again begins its queue anew.
fn readable(history: &[Stored], first: i64, end: i64) -> Vec<Stored> {
    let mut queues: BTreeMap<(&str, i32), Vec<&Stored>> = BTreeMap::new();
    for record in history.iter().filter(|record| record.physical >= first && record.end <= end) {
        let queue = queues.entry((&record.topic, record.queue)).or_default();
        queue.retain(|older| older.offset < record.offset);
        queue.push(record);
    }
    let mut model: Vec<Stored> = queues.into_values().flatten().cloned().collect();
    model.sort_by_key(|record| record.physical);
    model
}

impl Pair {
    fn step(&mut self, chance: &mut Chance) {
        let limit = if chance.percent(5) { 30_000 } else { 120 };
        let pause = i64::try_from(chance.below(limit)).unwrap();
        for world in [&mut self.leader, &mut self.follower] {
            world.now += pause;
            world.disk.set_now(world.now);
        }
        match chance.below(20) {
            0..=4 => self.append(chance),
            5..=10 => self.send(chance),
            11 => self.connection = None,
            12 if self.deletes => self.delete_topic(chance),
            step => {
                let world = if chance.percent(30) { &mut self.leader } else { &mut self.follower };
                match step {
                    13 | 14 => world.follow(),
                    15 | 16 => world.collect_jobs(),
                    _ if world.outstanding.is_empty() => {}
                    _ => {
                        let jobs = world.outstanding.len() as u64;
                        world.run_job(usize::try_from(chance.below(jobs)).unwrap());
                    }
                }
            }
        }
    }

    fn append(&mut self, chance: &mut Chance) {
        let batches = random_batches(&mut self.leader, chance);
        let before = self.leader.model.len();
        self.leader.append(batches).into_iter().for_each(|result| drop(result.unwrap()));
        self.history.extend_from_slice(&self.leader.model[before..]);
    }

    /// The topic begins anew, in all of its queues.
    fn delete_topic(&mut self, chance: &mut Chance) {
        let topic = ["alpha", "%RETRY%beta", "gamma-topic"][usize::try_from(chance.below(3)).unwrap()];
        self.leader.store().delete_topic(topic);
        self.leader.model.retain(|message| message.topic != topic);
        for queue in 0..3 {
            self.leader.append_one(topic, queue, 20).unwrap();
            self.history.push(self.leader.model.last().unwrap().clone());
        }
    }

    /// One frame.
    fn send(&mut self, chance: &mut Chance) {
        let written = self.follower.store().written();
        let start = if written == PhysicalOffset(0) { self.leader.view().log_start_for_empty_slave() } else { written };
        self.restarts |= start != written;
        let at = *self.connection.get_or_insert(start);
        let max = match chance.below(4) {
            0 => 1 + chance.below(20),
            1 => 1 + chance.below(400),
            _ => 1 + chance.below(64 << 10),
        };
        if let Some(bytes) = bytes_at(&self.leader, at, usize::try_from(max).unwrap()) {
            let end = at + bytes.len() as i64;
            let now = Millis(self.follower.now);
            assert_eq!(self.follower.store().append_raw(at, bytes, now), Ok(end));
            self.connection = Some(end);
        }
    }

    fn restart_leader(&mut self, chance: &mut Chance) {
        let power = !self.restarts && chance.percent(50);
        end(&mut self.leader, power, chance);
        self.leader.open();
        let end = self.leader.store().written();
        assert!(end.0 >= self.leader.flushed, "what was flushed survives");
        self.lead_from(end);
        self.connection = None;
        if self.follower.store().written() > end {
            self.cut_follower(end);
        }
        self.check_leader();
    }

    /// The leader's log ends here; what it had behind that is gone.
    fn lead_from(&mut self, end: PhysicalOffset) {
        let kept = self.history.iter().take_while(|record| record.end <= end.0).count();
        self.gone.extend(self.history.drain(kept..));
        let first = self.leader.view().log_range().0;
        self.leader.model = readable(&self.history, first.0, end.0);
        self.leader.flushed = self.leader.store().flushed().0;
    }

    fn restart_follower(&mut self, chance: &mut Chance) {
        let power = chance.percent(60);
        end(&mut self.follower, power, chance);
        self.reopen_follower();
    }

    fn reopen_follower(&mut self) {
        self.follower.open();
        self.follower.store().follow_master();
        self.connection = None;
        let end = self.follower.store().written().0;
        assert!(end >= self.follower.flushed, "flushed up to {}, but the copy ends at {end}", self.follower.flushed);
        self.follower.flushed = self.follower.store().flushed().0;
        self.check_follower();
    }

    /// The follower becomes the leader, maybe before it has everything, and the leader follows it.
    fn change_places(&mut self, chance: &mut Chance) {
        if self.follower.store().written().0 == 0 {
            return;
        }
        if self.restarts {
            self.catch_up();
        }
        self.connection = None;
        if chance.percent(50) {
            self.follower.follow();
        }
        let mut waits = !self.follower.store().lead();
        while waits {
            self.follower.collect_jobs();
            assert!(!self.follower.outstanding.is_empty(), "something leads to the lead");
            let jobs = self.follower.outstanding.len() as u64;
            self.follower.run_job(usize::try_from(chance.below(jobs)).unwrap());
            waits = !self.follower.store().is_leading();
        }
        std::mem::swap(&mut self.leader, &mut self.follower);
        let end = self.leader.store().written();
        self.lead_from(end);
        // Records that the other one must not keep.
        (0..chance.below(4)).for_each(|_| self.append(chance));
        self.follower.store().follow_master();
        if self.follower.store().written() > end {
            self.cut_follower(end);
        }
        self.check_follower();
        self.check_leader();
    }

    fn cut_follower(&mut self, to: PhysicalOffset) {
        self.follower.store().cut_back(to).unwrap();
        self.follower.settle();
        self.follower.flushed = self.follower.flushed.min(to.0);
        assert!(self.follower.events.iter().any(|event| matches!(event, Event::CutBack(end) if *end == to)));
        assert_eq!(self.follower.store().written(), to);
    }

    /// Cuts the copy at any byte, maybe with a crash before it is done.
    fn cut_somewhere(&mut self, chance: &mut Chance) {
        let (first, written) = self.follower.view().log_range();
        if self.restarts || first == written {
            return;
        }
        let to = first + i64::try_from(chance.below((written - first).unsigned_abs())).unwrap();
        let file = to.0 - to.0 % crate::world::SEGMENT as i64;
        let ends = self.history.iter().map(|record| record.end).filter(|end| *end <= to.0);
        let expected = ends.max().unwrap_or(0).max(file);
        self.follower.store().cut_back(to).unwrap();
        self.connection = None;
        if chance.percent(50) {
            self.follower.settle();
            assert_eq!(self.follower.store().written().0, expected);
            self.follower.flushed = expected;
        } else {
            for _ in 0..chance.below(8) {
                self.follower.collect_jobs();
                if !self.follower.outstanding.is_empty() {
                    self.follower.run_job(0);
                }
            }
            self.follower.crash(if chance.percent(60) { Crash::Power } else { Crash::Process });
            self.follower.flushed = self.follower.flushed.min(expected);
            self.reopen_follower();
        }
        self.check_follower();
    }

    fn catch_up(&mut self) {
        let mut chance = Chance::new(self.history.len() as u64);
        while self.follower.store().written() < self.leader.store().written() {
            self.send(&mut chance);
        }
    }

    /// The follower has the leader's bytes below its end, and their queues and keys.
    fn check_follower(&mut self) {
        self.follower.settle();
        let (first, end) = self.follower.view().log_range();
        let mut at = first.max(self.leader.view().log_range().0);
        while at < end {
            let copy = bytes_at(&self.follower, at, usize::try_from(end - at).unwrap()).unwrap();
            assert!(bytes_at(&self.leader, at, copy.len()).unwrap() == copy, "the copy differs behind {at}");
            at = at + copy.len() as i64;
        }
        self.follower.model = readable(&self.history, first.0, end.0);
        check(&self.follower, &self.gone);
    }

    fn check_leader(&mut self) {
        self.leader.settle();
        check(&self.leader, &self.gone);
    }

    fn converge(&mut self) {
        self.catch_up();
        for _ in 0..2 {
            assert_eq!(self.follower.store().written(), self.leader.store().written());
            self.check_follower();
            self.check_leader();
            self.follower.now += 30_000;
            self.follower.settle();
            self.follower.stop();
            self.reopen_follower();
        }
    }
}

fn end(world: &mut World, power: bool, chance: &mut Chance) {
    if chance.percent(25) {
        world.stop();
    } else {
        world.crash(if power { Crash::Power } else { Crash::Process });
    }
}

/// The store has its model, and nothing of what is gone.
fn check(world: &World, gone: &[Stored]) {
    world.check();
    world.check_keys();
    for record in gone.iter().filter(|record| world.model.iter().all(|there| there.key != record.key)) {
        let key = KeyQuery {
            topic: &record.topic,
            key: &record.key,
            tag: false,
            max: 64,
            begin: Millis(0),
            end: Millis(i64::MAX),
        };
        assert!(world.view().query_key(&key).unwrap().records.is_empty(), "{} came back", record.key);
    }
}
