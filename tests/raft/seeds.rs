//! Ranges of seeds, seeds that once failed, and planted bugs.

use crate::bugs::Bug;
use crate::coverage::Coverage;
use crate::world;

/// Seeds of an ordinary run.
const SEEDS: u64 = 400;

/// Seeds among which one that catches a planted bug is looked for.
const BUG_SEEDS: u64 = 20_000;

/// Seeds that once failed, each for a mistake that is mended: 511, votes that reached a candidate which had been stopped; 1,202, a late report that took
/// back what was matched; 96,350, a pre-vote won among members of whom it was none any more.
const ONCE_FAILED: [u64; 3] = [511, 1_202, 96_350];

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
fn seeds_that_once_failed() {
    for seed in ONCE_FAILED {
        let outcome = check(seed, None);
        assert!(outcome.is_ok(), "seed {seed}: {outcome:?}");
    }
}

/// With `RAFT_BUG=Name` the first seed of `RAFT_SEEDS` that catches it is looked for.
#[test]
fn planted_bugs_are_caught() {
    let wanted = std::env::var("RAFT_BUG").ok();
    let hook = std::panic::take_hook();
    // A violation that is a panic of the core is expected here.
    std::panic::set_hook(Box::new(|_| {}));
    let mut missed = Vec::new();
    for bug in Bug::ALL {
        let seeds = match (&wanted, bug.first_seed()) {
            (Some(wanted), _) if format!("{bug:?}") == *wanted => 0..number("RAFT_SEEDS").unwrap_or(BUG_SEEDS),
            (None, Some(first)) => first..first + 1,
            _ => continue,
        };
        let caught = seeds.clone().find_map(|seed| check(seed, Some(bug)).err().map(|found| (seed, found)));
        match caught {
            Some((seed, violation)) => println!("{bug:?}: seed {seed}: {violation}"),
            None => missed
                .push(format!("{bug:?} is not caught by seeds {seeds:?}; RAFT_BUG={bug:?} looks for one that does")),
        }
    }
    std::panic::set_hook(hook);
    assert!(missed.is_empty(), "{missed:#?}");
}
