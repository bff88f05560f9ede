//! Random numbers from a printed seed.

use std::time::{SystemTime, UNIX_EPOCH};

pub struct Draws {
    state: u64,
}

impl Draws {
    /// CRASH_SEED, else a seed of the clock; printed so that a failure can be repeated.
    pub fn from_environment() -> Draws {
        let chosen = std::env::var("CRASH_SEED").ok().and_then(|seed| seed.parse().ok());
        let clock = SystemTime::now().duration_since(UNIX_EPOCH).map_or(1, |time| time.subsec_nanos().into());
        let seed: u64 = chosen.unwrap_or(clock);
        println!("CRASH_SEED={seed}");
        Draws { state: seed }
    }

    pub fn from_seed(seed: u64) -> Draws {
        Draws { state: seed }
    }

    /// SplitMix64.
    pub fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number from `low` to `high`, both included.
    pub fn between(&mut self, low: usize, high: usize) -> usize {
        low + (self.next() % (high - low + 1) as u64) as usize
    }
}
