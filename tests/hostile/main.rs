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
mod program;
mod requests;

use healthy::Healthy;
use program::Program;
use support::{Outcome, until};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hostile_peers_harm_only_themselves() -> Outcome<()> {
    let program = Program::start()?;
    let healthy = Healthy::start(&program.open);
    healthy.goes_on().await;

    let rows = requests::check(&program).await?;
    let memory = |phase| within_memory(&program, phase);
    memory("wrong requests")?;

    let closed = connections::nonsense_is_closed(&program).await?;
    logged(&program, "the bytes are not RocketMQ remoting").await;
    logged(&program, "a client with TLS switched on").await;
    memory("nonsense")?;
    healthy.goes_on().await;

    connections::drip(&program).await?;
    logged(&program, "reason=\"slow_frame\"").await;

    connections::fill(&program).await?;
    let mut unread = Vec::new();
    for _ in 0..4 {
        unread.push(connections::never_read(&program).await?);
    }
    healthy.goes_on().await;
    logged(&program, "reason=\"slow_peer\"").await;
    memory("answers that nobody reads")?;
    drop(unread);

    let half = connections::half_frames(&program).await?;
    healthy.goes_on().await;
    memory("half frames")?;
    connections::all_closed("half frames", half).await;

    if let Some(idle) = connections::idle_connections(&program).await? {
        healthy.goes_on().await;
        memory("idle connections")?;
        connections::all_closed("idle connections", idle).await;
    }
    logged(&program, "reason=\"idle\"").await;

    let rounds = healthy.stop().await?;
    let (status, ready) = program.page("/readyz").await?;
    assert_eq!(status, 200, "{ready}");
    let log = program.log()?;
    assert!(!log.contains("panicked"), "{log}");
    assert!(log.lines().count() < 2_000, "a peer can fill the log: {} lines", log.lines().count());
    eprintln!("{rows} requests answered, {closed} connections of nonsense closed, {rounds} rounds of the healthy client");
    program.stop()
}

fn within_memory(program: &Program, phase: &str) -> Outcome<()> {
    let (peak, limit) = (program.memory_peak()?, program.memory_limit());
    eprintln!("{phase}: at most {} of {} MiB", peak >> 20, limit >> 20);
    assert!(peak <= limit, "{phase}: {peak} bytes of memory, the limits allow {limit}");
    Ok(())
}

/// Waits for a line of the program's log.
async fn logged(program: &Program, text: &str) {
    until(&format!("{text:?} in the log"), || async { program.log().is_ok_and(|log| log.contains(text)) }).await;
}
