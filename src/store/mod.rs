//! One broker's messages on disk, in Java's layout byte for byte.
//!
//! ```text
//!  append --one write--> commitlog/00000000000000000000 ... --sync--> Event::Flushed
//!     |                        |
//!     | bytes in memory        | read again when memory had no room
//!     v                        v
//!  follow ---> consumequeue/TOPIC/QUEUE/...  (memory tail, written by jobs)  ---> Arrival wakes long polls
//!         \--> index/yyyyMMddHHmmssSSS       (memory keys, written by jobs)
//!  append_raw (a follower: its master's bytes, whole records only) takes the place of append; role: who assigns numbers
//!  View ----> queue unit -> record, from many tasks, without locks held across I/O
//!  checkpoint: up to where all of it is durable          abort: a broker runs or crashed          lock: one process
//! ```
//!
//! [`Store`] is owned by one task. What may block is a [`Job`]: the owner runs it on the I/O pool and gives the result back,
//! so the store runs the same under a simulator, which decides when and whether jobs end.
//!
//! The log only grows, except that a follower cuts its end back (`cut`). Readers look at the number of cuts before and after
//! what they read.
//!
//! Invariants, asserted where they change: `dispatched <= confirmed <= written` and `flushed <= written`; queue offsets
//! are gapless; a file is synced before the checkpoint says so; a failed sync or write of the log ends all writing
//! (never retried: after a failed sync nobody knows what the kernel still has); a full disk refuses and recovers.
//!
//! Must not know: who waits for a flush, topics' settings, consumers, the network.

mod append;
mod checkpoint;
mod consume_queue;
mod consume_queues;
mod cut;
mod dispatch;
mod error;
mod flush;
mod follow;
mod index;
mod job;
mod layout;
mod log;
mod numbers;
mod open_files;
mod options;
mod queue_files;
mod raw;
mod read;
mod record;
mod recovery;
mod retention;
mod role;
mod shared;
#[expect(clippy::module_inception, reason = "the folder's main type has its own file")]
mod store;
mod time_search;
mod upkeep;
mod view;
mod walk;

pub use append::{Append, Appended, NewMessage};
pub use consume_queue::{Range, Unit};
pub use dispatch::Arrival;
pub use error::{AppendError, Error, ReadError, TopicError};
pub use job::{Job, JobDone};
pub use log::Patience;
pub use options::{Commits, Options};
pub use read::{GetStatus, Read, ReadRequest};
pub use recovery::{Phase, Progress};
pub use store::{Event, Store};
pub use view::{KeyQuery, KeyRecords, Usage, View};
