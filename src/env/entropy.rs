//! Chance.

/// Random numbers that nobody can predict from outside.
pub trait Entropy: Send + Sync {
    /// A number, uniform over all 64 bits.
    fn next_u64(&self) -> u64;
}

/// The kernel's generator.
#[derive(Debug, Default)]
pub struct SystemEntropy;

impl Entropy for SystemEntropy {
    #[expect(clippy::disallowed_methods, reason = "this is the door")]
    fn next_u64(&self) -> u64 {
        let mut bytes = [0u8; 8];
        // The kernel refuses only before its pool is ready, early in boot; a constant is then as good as a guess.
        if getrandom::fill(&mut bytes).is_err() {
            return 0;
        }
        u64::from_le_bytes(bytes)
    }
}
