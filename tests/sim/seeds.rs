//! Ranges of seeds, seeds that once failed, and planted bugs.

use crate::bugs::Bug;
use crate::world::{self, Beginning, Coverage};

/// Seeds of an ordinary run.
const SEEDS: u64 = 300;

/// Seeds within which each planted bug is found.
const BUG_SEEDS: u64 = 100;

/// Seeds that once failed, each for a mistake that is mended: 3, a leader that had lost everything and a follower without an
/// epoch in common with it; 28, bytes of a failed sync that a restarted broker took for safe; 176, a check that looked at what
/// a dead leader had sent; 1399, bytes of an epoch that a crash found on disk without the epoch. Of groups whose master joins: 205, an
/// epoch that began at bytes a power failure took, and whose number was given again; 649, a disk that gave an unsynced file its name.
const ONCE_FAILED: [(u64, Beginning); 6] = [
    (3, Beginning::AtOnce),
    (28, Beginning::AtOnce),
    (176, Beginning::AtOnce),
    (1399, Beginning::AtOnce),
    (205, Beginning::Joining),
    (649, Beginning::Joining),
];

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// Every seed joins with `SIM_JOINS=1`, none with `SIM_JOINS=0`.
fn beginning() -> Beginning {
    match number("SIM_JOINS") {
        None => Beginning::Drawn,
        Some(0) => Beginning::AtOnce,
        Some(_) => Beginning::Joining,
    }
}

/// One seed; a panic is a violation too.
fn check(seed: u64, beginning: Beginning, bug: Option<Bug>) -> Result<Coverage, String> {
    let outcome = std::panic::catch_unwind(|| world::run(seed, beginning, bug));
    outcome.unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        Err(text.or(panic.downcast_ref::<&str>().map(|text| (*text).to_owned())).unwrap_or("a panic".to_owned()))
    })
}

#[test]
fn seeds() {
    let range = match number("SIM_SEED") {
        Some(seed) => seed..seed + 1,
        None => {
            let from = number("SIM_FROM").unwrap_or(0);
            from..from + number("SIM_SEEDS").unwrap_or(SEEDS)
        }
    };
    let mut all = Coverage::default();
    let count = range.end - range.start;
    for seed in range {
        match check(seed, beginning(), None) {
            Ok(coverage) => all.add(coverage),
            Err(violation) => {
                panic!("seed {seed}: {violation}; repeat it with SIM_SEED={seed} cargo test --test sim seeds")
            }
        }
    }
    println!("{count} seeds clean: {all:?}");
    if count >= SEEDS {
        all.check_nothing_is_missing();
    }
}

#[test]
fn seeds_that_once_failed() {
    for (seed, beginning) in ONCE_FAILED {
        let outcome = check(seed, beginning, None);
        assert!(outcome.is_ok(), "seed {seed}: {outcome:?}");
    }
}

#[test]
fn planted_bugs_are_caught() {
    let wanted = std::env::var("SIM_BUG").ok();
    for bug in Bug::ALL.into_iter().filter(|bug| wanted.as_ref().is_none_or(|wanted| format!("{bug:?}") == *wanted)) {
        let caught = (0..BUG_SEEDS)
            .find_map(|seed| check(seed, Beginning::Drawn, Some(bug)).err().map(|violation| (seed, violation)));
        match caught {
            Some((seed, violation)) => println!("{bug:?}: seed {seed}: {violation}"),
            None => panic!("{bug:?} is not caught within {BUG_SEEDS} seeds"),
        }
    }
}
