//! The only door to the operating system: time, disk, chance, threads, tasks, queues.
//!
//! ```text
//! pure machines  --jobs, actions-->  shells  --env-->  kernel
//!                                      ^
//!                    tests/sim replaces env, never the machines
//! ```
//!
//! Everything here can be replaced: [`Clock`], [`Disk`] and [`Entropy`] are traits; [`IoPool`] and [`Tasks`] run closures
//! and futures that the simulator runs itself. Nothing outside this folder may call the banned functions of clippy.toml.
//! Must not know: RocketMQ.

use std::sync::Arc;

mod calendar;
mod clock;
mod disk;
mod entropy;
pub mod mailbox;
mod pool;
mod system_disk;
mod tasks;
mod usage;

pub use calendar::{local_day, local_hour, local_timestamp};
pub use clock::{Clock, SystemClock};
pub use disk::{DeviceId, Disk, DiskSpace, Entry, File, LockGuard, OpenMode, Volume};
pub use entropy::{Entropy, SystemEntropy};
pub use pool::{Full, IoPool, Job, Refused, Share};
pub use system_disk::SystemDisk;
pub use tasks::{Panicked, TaskKind, Tasks};
pub use usage::Usage;

/// The environment handed to every shell at start.
#[derive(Clone)]
pub struct Env {
    /// Wall-clock and monotonic time.
    pub clock: Arc<dyn Clock>,
    /// Files.
    pub disk: Arc<dyn Disk>,
    /// Random bytes.
    pub entropy: Arc<dyn Entropy>,
    /// Threads for work that may block.
    pub pool: IoPool,
    /// Tasks of the shared runtime.
    pub tasks: Tasks,
}
