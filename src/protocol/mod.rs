//! RocketMQ's words and bytes, pure: no clock, no I/O, no async.
//!
//! ```text
//! frame   u32 length | header word | header | body      (frame/, command.rs; JSON or binary header)
//! header  typed view of the ext fields, one per request   (headers/, one file per family)
//! body    record bytes, JSON of Java's dialect, batches   (record.rs, batch.rs, body/)
//! ```
//!
//! Invariants: decode(encode(x)) == x; any split of the input gives the same frames; nothing is allocated by a length
//! that has not been checked against what is there. Must not know: sockets, brokers, the store's files.

pub mod batch;
pub mod body;
pub mod codes;
pub mod command;
pub mod filter;
pub mod frame;
pub mod ha;
pub mod headers;
pub mod ids;
pub mod java_hash;
pub mod json;
pub mod message_id;
pub mod properties;
pub mod properties_text;
pub mod raft;
pub mod record;
pub mod sys_flag;
pub mod topic_name;
