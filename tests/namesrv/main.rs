//! The NameServer and the registrar over real sockets on the loopback address.
//!
//! `requests`: codes, fields and bodies as tools send them. `registrar`: brokers and NameServers that come and go.

#![allow(clippy::disallowed_methods, reason = "tests look at files and wait for real sockets")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a failed expectation is a failed test, in helpers too")]

mod harness;
mod registrar;
mod requests;
