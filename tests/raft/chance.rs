//! Numbers from a seed (splitmix64).

#[derive(Clone, Debug)]
pub struct Chance(u64);

impl Chance {
    pub fn new(seed: u64) -> Chance {
        Chance(seed)
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number from `min` to below `max`.
    pub fn between(&mut self, min: i64, max: i64) -> i64 {
        min + i64::try_from(self.next() % u64::try_from((max - min).max(1)).unwrap()).unwrap()
    }

    pub fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(limit.max(1)).unwrap()).unwrap()
    }

    /// True in `permille` of all cases.
    pub fn permille(&mut self, permille: i64) -> bool {
        self.between(0, 1_000) < permille
    }
}
