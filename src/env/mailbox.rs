//! Bounded queues between tasks.
//!
//! A mailbox has a limit in messages. Senders that may wait use `send`, all others `try_send` and tell their client why.

pub use tokio::sync::mpsc::error::{SendError, TrySendError};
pub use tokio::sync::mpsc::{Receiver, Sender, WeakSender};
pub use tokio::sync::oneshot;

/// A queue that holds at most `limit` messages.
#[must_use]
pub fn bounded<T>(limit: usize) -> (Sender<T>, Receiver<T>) {
    tokio::sync::mpsc::channel(limit.max(1))
}
