//! A master and its slave under load, killed and parted: what was acknowledged by both is on both afterwards, and their logs are
//! equal. Here kill -9; [`faults`] of the network between them are a page of their own.
//!
//! ```text
//! names (never killed)    master, SYNC_MASTER, inSyncReplicas=2 <--producers    slave, slaveReadEnable
//!
//! slave killed:  until producers are told FLUSH_SLAVE_TIMEOUT; started again
//! master killed: everything ever acknowledged is read from the slave; started again
//! both killed:   the slave comes back first and is read
//! ```
//!
//! The moment of a kill is a number of acknowledgements, not a time. `CRASH_SEED=n` repeats a run's draws; a failure prints the
//! seed.
#![allow(clippy::disallowed_methods, reason = "tests stand outside of the program")]
#![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

#[path = "../../examples/support/mod.rs"]
mod support;

#[path = "../crash/draws.rs"]
mod draws;
#[path = "../crash/journal.rs"]
mod journal;
#[path = "../crash/load.rs"]
#[allow(dead_code, reason = "delayed messages are for tests/crash")]
mod load;

mod faults;
mod network;
mod pair;
mod world;

use std::sync::Arc;

use draws::Draws;
use journal::Journal;
use load::Load;
use pair::{Pair, Places};
use support::Outcome;

#[derive(Clone, Copy, Debug)]
enum Victim {
    Slave,
    Master,
    Both,
}

/// How often each is killed before the last master of a run.
const VICTIMS: [(Victim, usize); 3] = [(Victim::Slave, 2), (Victim::Master, 2), (Victim::Both, 2)];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sync_flush_keeps_what_both_acknowledged() -> Outcome<()> {
    kill_under_load("SYNC_FLUSH").await
}

/// The page cache outlives the process.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn async_flush_survives_the_processes() -> Outcome<()> {
    kill_under_load("ASYNC_FLUSH").await
}

async fn kill_under_load(flush: &str) -> Outcome<()> {
    let mut draws = Draws::from_environment();
    let mut pair = Pair::start(flush, Places::LOOPBACK, "").await?;
    let journal = Arc::new(Journal::default());
    let mut load = Load::start(&pair.master.address, &journal, draws.next());
    for victim in victims(&mut draws) {
        journal.wait_for(journal.count() + draws.between(1, 300)).await;
        println!("{flush}: {victim:?} dies after {} acknowledgements, {} late", journal.count(), journal.late());
        match victim {
            Victim::Slave => {
                pair.slave.kill()?;
                journal.wait_for_late(journal.late() + draws.between(1, 12)).await;
                pair.slave.start()?;
                continue;
            }
            Victim::Master => pair.master.kill()?,
            Victim::Both => {
                let slave_first = draws.between(0, 1) == 0;
                let (first, second) = pair.members(slave_first);
                first.kill()?;
                second.kill()?;
                pair.slave.start()?;
            }
        }
        load.stop().await;
        journal.check(&pair.slave.address).await?;
        pair.master.start()?;
        load = Load::start(&pair.master.address, &journal, draws.next());
    }
    let before = journal.count();
    journal.wait_for(before + 1).await;
    pair.master.kill()?;
    load.stop().await;
    journal.check(&pair.slave.address).await?;
    pair.master.start()?;
    let kept = journal.check(&pair.master.address).await?;
    assert!(kept > before, "the last round acknowledged something");
    pair.logs_become_equal().await;
    journal.check(&pair.slave.address).await?;
    pair.stop()
}

/// All of [`VICTIMS`] in an order of their own.
fn victims(draws: &mut Draws) -> Vec<Victim> {
    let mut victims: Vec<Victim> =
        VICTIMS.into_iter().flat_map(|(victim, times)| std::iter::repeat_n(victim, times)).collect();
    for last in (1..victims.len()).rev() {
        victims.swap(last, draws.between(0, last));
    }
    victims
}
