//! kill -9 of the real program under load: what it acknowledged is there afterwards, at its place, byte for byte.
//!
//! ```text
//! start -> producers write down every acknowledgement -> after a number of them drawn from the seed: kill -9
//!   -> start -> check everything ever acknowledged -> ... -> at the end once more
//! ```
//!
//! The moment of a kill is a number of acknowledgements, not a time: it means the same on a slow and on a fast machine.
//! `CRASH_SEED=n` repeats a run's draws; a failure prints the seed.
#![allow(clippy::disallowed_methods, reason = "tests stand outside of the program")]
#![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

#[path = "../../examples/support/mod.rs"]
mod support;

mod draws;
#[allow(dead_code, reason = "late answers are for tests/cluster")]
mod journal;
mod load;
mod program;

use std::sync::Arc;

use draws::Draws;
use journal::Journal;
use load::Load;
use program::Program;
use support::{Outcome, Peer};

/// Kills of one run.
const KILLS: usize = 20;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sync_flush_keeps_what_it_acknowledged() -> Outcome<()> {
    kill_under_load("SYNC_FLUSH", KILLS).await
}

/// The page cache outlives the process.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn async_flush_survives_the_process() -> Outcome<()> {
    kill_under_load("ASYNC_FLUSH", KILLS).await
}

async fn kill_under_load(flush: &str, kills: usize) -> Outcome<()> {
    let mut draws = Draws::from_environment();
    let mut program = Program::new(flush)?;
    let journal = Arc::new(Journal::default());
    let mut kept = 0;
    for _ in 0..kills {
        program.start()?;
        kept = journal.check(&program.brokers).await?;
        let load = Load::start(&program.brokers, &journal, draws.next());
        journal.wait_for(kept + draws.between(1, 400)).await;
        program.kill()?;
        load.stop().await;
    }
    program.start()?;
    let at_the_end = journal.check(&program.brokers).await?;
    assert!(at_the_end > kept, "the last round acknowledged something");
    assert!(at_the_end >= kills, "every round acknowledged something");
    assert_eq!(journal.late(), 0, "a master without slaves waits for none");
    program.stop()
}

/// A topic that an administrator was told exists, and a delayed message that a producer was told is stored, outlive a kill
/// that follows at once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn topics_and_delayed_messages_survive() -> Outcome<()> {
    let mut program = Program::new("SYNC_FLUSH")?;
    for round in 0..3 {
        program.start()?;
        let topic = format!("created-{round}");
        load::create_topic(&Peer::new(), &program.brokers[0], &topic, 3).await?;
        load::send_delayed(&Peer::new(), &program.brokers[0], &topic, &format!("late-{round}")).await?;
        program.kill()?;
        program.start()?;
        let client = Peer::new();
        for earlier in 0..=round {
            let topic = format!("created-{earlier}");
            assert_eq!(load::queues_of(&client, &program.brokers[0], &topic).await?, 3, "{topic}");
            let bodies = client.pull_all(&program.brokers[0], &topic, 1).await?;
            assert!(bodies.iter().all(|body| *body == format!("late-{earlier}")), "{topic}: {bodies:?}");
        }
        program.kill()?;
    }
    Ok(())
}
