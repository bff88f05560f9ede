//! Everything a network can do to the program, while a healthy client works beside it and notices nothing.
//!
//! ```text
//! healthy client  ── send, pull, send, pull ... only success ──────────────────────────────>
//! hostile peers   ── wrong requests │ nonsense │ dripping │ half frames │ unread │ idle ───>
//! the program     ── right code and remark, or closed and logged; memory under its limits; /readyz 200
//! ```
#![allow(clippy::disallowed_methods, reason = "tests stand outside of the program")]

#[path = "../../examples/support/mod.rs"]
mod support;

mod connections;
mod healthy;
mod memory;
mod program;
mod requests;

use healthy::Healthy;
use memory::{CONNECTION_BYTES, Memory, READ_BYTES};
use mqcontainer::remoting::Limits;
use program::{CONNECTIONS, INBOUND_BYTES, Program};
use support::{Outcome, until};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hostile_peers_harm_only_themselves() -> Outcome<()> {
    let program = Program::start()?;
    let fixed = Limits::default();
    let mut memory = Memory::at_start(&program)?;
    let healthy = Healthy::start(&program.open);
    healthy.goes_on().await;

    let rows = requests::check(&program).await?;
    memory.within("wrong requests", INBOUND_BYTES)?;

    let closed = connections::nonsense_is_closed(&program).await?;
    logged(&program, "the bytes are not RocketMQ remoting").await;
    logged(&program, "a client with TLS switched on").await;
    healthy.goes_on().await;
    memory.within("nonsense", 0)?;

    connections::drip(&program).await?;
    logged(&program, "reason=\"slow_frame\"").await;

    if let Some(idle) = connections::idle_connections(&program).await? {
        healthy.goes_on().await;
        memory.within("idle connections", CONNECTIONS * CONNECTION_BYTES)?;
        connections::all_closed("idle connections", idle).await;
    }
    logged(&program, "reason=\"idle\"").await;

    let half = connections::half_frames(&program).await?;
    healthy.goes_on().await;
    memory.within("half frames", fixed.partial_bytes + half.len() * READ_BYTES)?;
    connections::all_closed("half frames", half).await;

    connections::fill(&program).await?;
    let unread = connections::never_read(&program).await?;
    healthy.goes_on().await;
    memory.within("answers that nobody reads", fixed.outbound_bytes)?;
    logged(&program, "reason=\"slow_peer\"").await;
    drop(unread);

    let rounds = healthy.stop().await?;
    let (status, ready) = program.page("/readyz").await?;
    assert_eq!(status, 200, "{ready}");
    let log = program.log()?;
    assert!(!log.contains("panicked"), "{log}");
    assert!(log.lines().count() < 2_000, "a peer can fill the log: {} lines", log.lines().count());
    eprintln!(
        "{rows} requests answered, {closed} connections of nonsense closed, {rounds} rounds of the healthy client"
    );
    program.stop()
}

/// Waits for a line of the program's log.
async fn logged(program: &Program, text: &str) {
    until(&format!("{text:?} in the log"), || async { program.log().is_ok_and(|log| log.contains(text)) }).await;
}
