//! Messages that a slave may not store itself and that another master is to take (Java: `EscapeBridge`).

use crate::env::mailbox::oneshot;
use crate::store::NewMessage;

/// One message on its way to another master.
#[derive(Debug)]
pub struct Escaped {
    /// The message as this broker would have stored it.
    pub message: NewMessage,
    /// Write queues of its topic here, for a master that has to create the topic.
    pub queues: i32,
    /// Told when a master has stored it, or why none has. A dropped sender means the same as an error.
    pub done: oneshot::Sender<Result<(), String>>,
}
