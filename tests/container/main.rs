//! A container as operators and neighbours see it: real ports, real files, everything in one process.
#![allow(clippy::disallowed_methods, reason = "tests stand outside of the program")]
#![allow(clippy::unwrap_used, reason = "a test ends there")]

#[path = "../../examples/support/mod.rs"]
mod support;

mod acting;
mod admin;
mod child;
mod containment;
mod dledger;
mod faulty;
mod fleet;
mod group;
mod pages;
mod shutdown;
mod slaves;
