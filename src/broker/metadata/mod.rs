//! What a slave copies of its master besides the log: topics, consumer groups, consumer offsets, positions of the delay levels
//! (Java: `SlaveSynchronize`, 21, 201, 43, 45).
//!
//! ```text
//! Upstream (registration, or a master beside it) --> plan (pure): what to ask now --> shell --call--> master
//!                                                      ^---- what it answered -----------'
//!                                                      '--> Fetched --mailbox of the actor--> adopt (pure, part of the core)
//! ```
//!
//! A master of ours is watched (watch.rs): it holds a question until one of its tables is another one than the slave has, so the slave
//! has it a moment later; and a SYNC_MASTER answers whoever creates a topic or group when its slaves have it (state/copies.rs).
//!
//! A Java master is polled: each table is asked for at once when the master is found or comes back, then every second, and a second later
//! for each 64 KiB of its last answer, at most every minute (Java: always every minute). Topics and groups are asked for with a page of one entry, which carries the version of the table; all
//! of it is fetched only when that version is another one than before. A master before 5.3 knows no pages and answers all at once.
//! So what a Java master changed in its last second may be missing in a slave that is promoted: a topic or group of
//! that second is there after the next sending or heartbeat, offsets of that second mean that messages come twice, none is lost.
//! Of a master of ours that is true of offsets of its last tenth of a second.
//!
//! Invariants: a slave makes no topic and no group itself, so its tables are its master's of some moment; a
//! table is adopted whole or not at all; an empty or failed answer changes nothing; a master whose table is older than
//! the slave's deletes nothing. Offsets that only the slave has, because consumers committed them here while the
//! master was away, stay. Must not know: how the log is copied.

mod adopt;
mod plan;
mod shell;
#[cfg(test)]
mod tests;
mod watch;

pub use plan::Fetched;
pub(super) use shell::Follower;
