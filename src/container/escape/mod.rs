//! Messages that an acting slave may not store itself go to another master (Java: `EscapeBridge`).
//!
//! ```text
//! broker --Escaped--> mailbox --> one task per message: letter (pure) --310--> candidates in turn (choice, pure)
//!                                                          |   masters of this process, same cluster, other name
//!                                                          |   then, with enableRemoteEscape, those of the topic's route
//!                                                          v
//!                                     stored somewhere: Ok      nobody left: Err with what to do
//! ```
//!
//! One way for masters here and elsewhere: a send like a producer's, over the socket. So the topic exists there or is made by
//! that master's own rules, and a master that has not joined its group yet takes nothing. Java puts the message straight into a
//! neighbour's store, whatever its topics, cluster and state, and nobody finds it there.
//!
//! Invariants: at most 256 messages wait and 16 are under way for one broker; each master is tried once for a message; a message
//! that a master may have stored without saying so can come twice, and none is called stored that is not.
//! Must not know: why a message escapes.

mod choice;
mod letter;
mod shell;
#[cfg(test)]
mod tests;

pub(super) use shell::start;
