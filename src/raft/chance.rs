//! Chance, repeatable.

/// SplitMix64 (Steele, Lea, Flood 2014): enough to keep two members from standing at the same time for ever.
#[derive(Clone, Copy, Debug)]
pub(super) struct Chance(pub(super) u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// Milliseconds from `min` to `max`, both included; `min` if that is the greater one.
    pub(super) fn between(&mut self, min: i64, max: i64) -> i64 {
        let span = u64::try_from(max.saturating_sub(min)).unwrap_or(0).saturating_add(1);
        min.saturating_add(i64::try_from(self.next() % span).unwrap_or(0))
    }
}

#[test]
fn it_stays_between_and_meets_both_ends() {
    let mut chance = Chance(7);
    let drawn: std::collections::BTreeSet<i64> = (0..200).map(|_| chance.between(-1, 2)).collect();
    assert_eq!(drawn, [-1, 0, 1, 2].into());
    assert_eq!((chance.between(5, 5), chance.between(5, 4)), (5, 5));
}
