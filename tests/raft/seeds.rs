//! Ranges of seeds, seeds that once failed, and planted bugs.

use crate::bugs::Bug;
use crate::coverage::Coverage;
use crate::world;

/// Seeds of an ordinary run.
const SEEDS: u64 = 400;

/// Seeds within which each planted bug is found.
const BUG_SEEDS: u64 = 3_000;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// One seed; a panic is a violation too.
fn check(seed: u64, bug: Option<Bug>) -> Result<Coverage, String> {
    let tells = number("RAFT_SEED").is_some() && bug.is_none();
    let outcome = std::panic::catch_unwind(|| world::run(seed, bug, tells));
    outcome.unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        Err(text.or(panic.downcast_ref::<&str>().map(|text| (*text).to_owned())).unwrap_or("a panic".to_owned()))
    })
}

#[test]
fn seeds() {
    let range = match number("RAFT_SEED") {
        Some(seed) => seed..seed + 1,
        None => {
            let from = number("RAFT_FROM").unwrap_or(0);
            from..from + number("RAFT_SEEDS").unwrap_or(SEEDS)
        }
    };
    let mut all = Coverage::default();
    let count = range.end - range.start;
    for seed in range {
        match check(seed, None) {
            Ok(coverage) => all.add(&coverage),
            Err(violation) => {
                panic!("seed {seed}: {violation}; repeat it with RAFT_SEED={seed} cargo test --test raft seeds::seeds")
            }
        }
    }
    println!("{count} seeds clean\n{}", all.report());
    if count >= SEEDS {
        all.check_nothing_is_missing();
    }
}

#[test]
fn planted_bugs_are_caught() {
    let wanted = std::env::var("RAFT_BUG").ok();
    let hook = std::panic::take_hook();
    // A violation that is a panic of the core is expected here.
    std::panic::set_hook(Box::new(|_| {}));
    let is_wanted = |bug: &Bug| wanted.as_ref().is_none_or(|wanted| format!("{bug:?}") == *wanted);
    let caught: Vec<_> = Bug::ALL
        .into_iter()
        .filter(is_wanted)
        .map(|bug| {
            let first = (0..number("RAFT_BUG_SEEDS").unwrap_or(BUG_SEEDS))
                .find_map(|seed| check(seed, Some(bug)).err().map(|found| (seed, found)));
            (bug, first)
        })
        .collect();
    std::panic::set_hook(hook);
    for (bug, first) in caught {
        match first {
            Some((seed, violation)) => println!("{bug:?}: seed {seed}: {violation}"),
            None => panic!("{bug:?} is not caught within {BUG_SEEDS} seeds"),
        }
    }
}
