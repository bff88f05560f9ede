//! Random work, random crashes.

use mqcontainer::config::FlushDiskType;

use crate::disk::{Chance, Crash};
use crate::world::{World, random_batches};

/// Seeds of an ordinary run.
const SEEDS: u64 = 300;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

#[test]
fn seeds() {
    run("seeds", SEEDS, live);
}

/// Runs a test for many seeds, or for the one of the environment.
pub fn run(test: &str, ordinary: u64, live: fn(u64)) {
    let seeds = match number("STORE_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("STORE_SEEDS").unwrap_or(ordinary),
    };
    for seed in seeds {
        let outcome = std::panic::catch_unwind(|| live(seed));
        assert!(outcome.is_ok(), "seed {seed}: repeat it with STORE_SEED={seed} cargo test --test store {test}");
    }
}

/// Several lives of one store.
fn live(seed: u64) {
    let mut chance = Chance::new(seed);
    let flush = if chance.percent(50) { FlushDiskType::Sync } else { FlushDiskType::Async };
    let mut world = World::new(seed, flush);
    let power = chance.percent(70);
    for _ in 0..2 + chance.below(5) {
        let steps = chance.below(60);
        for _ in 0..steps {
            step(&mut world, &mut chance);
        }
        let end = if chance.percent(20) {
            world.stop();
            "stop"
        } else if power {
            world.crash(Crash::Power);
            "power failure"
        } else {
            world.crash(Crash::Process);
            "process crash"
        };
        let before = world.model.len();
        world.open();
        world.accept_end();
        println!("{end}: {before} messages before, {} after, flushed {}", world.model.len(), world.flushed);
        world.check();
        world.check_keys();
        if chance.percent(50) {
            // What recovery rebuilt must also be there after the next crash.
            world.now += 30_000;
            world.settle();
            world.check();
        }
    }
    world.settle();
    world.check();
    world.check_keys();
}

fn step(world: &mut World, chance: &mut Chance) {
    let pause = if chance.percent(5) { 30_000 } else { 120 };
    world.now += i64::try_from(chance.below(pause)).unwrap();
    world.disk.set_now(world.now);
    match chance.below(10) {
        0..=4 => {
            let batches = random_batches(world, chance);
            for result in world.append(batches) {
                result.unwrap();
            }
        }
        5 | 6 => world.follow(),
        7 => world.collect_jobs(),
        _ => {
            let jobs = world.outstanding.len() as u64;
            if jobs > 0 {
                world.run_job(usize::try_from(chance.below(jobs)).unwrap());
            }
        }
    }
}
