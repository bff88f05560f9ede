//! How much memory the program may have, phase by phase: each adds the limit that bounds it.

use crate::program::Program;
use crate::support::Outcome;

/// What one open connection may cost while it does nothing: its task, its socket, its places in the tables.
pub const CONNECTION_BYTES: usize = 8 << 10;

/// What a connection that waits for memory has read already: the one read in which its frame began.
pub const READ_BYTES: usize = 64 << 10;

pub struct Memory<'p> {
    program: &'p Program,
    allowed: usize,
}

impl<'p> Memory<'p> {
    /// What it has before the first peer comes, and what its allocator may keep of buffers that were outgrown.
    pub fn at_start(program: &'p Program) -> Outcome<Memory<'p>> {
        const KEPT: usize = 32 << 20;
        Ok(Memory { program, allowed: program.memory_peak()? + KEPT })
    }

    /// The peak so far is below what was allowed before and the limit of this phase.
    pub fn within(&mut self, phase: &str, limit: usize) -> Outcome<()> {
        self.allowed += limit;
        let (peak, allowed) = (self.program.memory_peak()?, self.allowed);
        eprintln!("{phase}: at most {} of {} MiB", peak >> 20, allowed >> 20);
        assert!(peak <= allowed, "{phase}: {peak} bytes of memory, the limits allow {allowed}");
        Ok(())
    }
}
