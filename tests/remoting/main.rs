//! Remoting and dispatch over real sockets on the loopback address.
//!
//! One file per promise: `frames` (what is sent arrives), `hostile` (nonsense costs the sender its connection and nobody
//! else anything), `flow` (limits pause, refuse or close), `calls` (server to client), `lifecycle` (ports and connections
//! begin and end).

#![allow(clippy::disallowed_methods, reason = "tests talk to real sockets and start tasks of their own")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a failed expectation is a failed test, in helpers too")]

mod calls;
mod flow;
mod frames;
mod harness;
mod hostile;
mod lifecycle;
