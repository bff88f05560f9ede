//! The store on a disk that fails: what was promised survives, what was not promised does not come back.
//!
//! `STORE_SEED=n cargo test --test store seeds` repeats one seed; `STORE_SEEDS=n` runs so many.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod copies;
mod copy_seeds;
#[path = "../sim/disk.rs"]
mod disk;
mod faults;
mod files;
mod reading;
mod seeds;
mod world;
