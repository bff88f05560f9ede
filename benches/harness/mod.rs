//! What the benches share: processes, deployments of brokers, load on them, pictures.
//!
//! ```text
//! deployment: NameServer + brokers, ours or Java's --process--> /proc
//!      ^
//! generator: one run of `mqcontainer bench send|consume` -> figures of it and of the servers' CPU
//! scrape: what our servers count themselves, from /metrics
//! figures, machine, chart: what came out, where, and drawn
//! ```

#![allow(dead_code, reason = "each bench uses its part")]

pub mod chart;
pub mod deployment;
pub mod figures;
pub mod generator;
pub mod machine;
#[path = "../../examples/support/ports.rs"]
pub mod ports;
pub mod process;
pub mod scrape;
