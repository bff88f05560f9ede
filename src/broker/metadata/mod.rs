//! What a slave copies of its master besides the log (Java: `SlaveSynchronize`).

mod shell;

pub(super) use shell::Follower;
