//! Stock RocketMQ clients and tools against our container.
//!
//! The programs in `java/` and `go/` are ours, the client libraries are stock: Java 5.5.0 and 4.9.8 from Maven Central, Go
//! v2.1.2. Each prints `PASS name` or `FAIL name reason`; a test here starts servers, runs one program and reads that.
//!
//! ```text
//!   toolchain   finds java, mvn and go; builds both programs once per content
//!   server      our container, or with INTEROP_PEER=java the Java NameServer and brokers
//!   run         one program: start, deadline, verdict
//!   send consume order retry admin go java_namesrv store_swap replication acting dledger     one family of scenarios each
//! ```
//!
//! `INTEROP_PEER=java cargo test --test interop` runs the same scenarios against Java itself, which is how we know that they
//! are right. Without java, mvn or go the tests say so and pass; with CI=true they fail.

#![allow(clippy::disallowed_methods, reason = "tests start processes and poll them")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a failed expectation is a failed test, in helpers too")]

mod acting;
mod admin;
mod consume;
mod dledger;
mod go;
mod java_namesrv;
mod order;
#[path = "../../examples/support/ports.rs"]
mod ports;
mod replication;
mod retry;
mod run;
mod send;
mod server;
mod store_swap;
mod toolchain;
