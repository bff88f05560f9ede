//! Faults of the network between a master and its slave, under load, with kill -9 of either while it is at fault.
//!
//! ```text
//! names, producers              master, SYNC_MASTER, inSyncReplicas=2            slave
//!       host Test ------------------- host Master ======= at fault ======= host Slave
//!
//! load -> fault -> (kill -9, start) -> heal -> SEND_OK again, by itself -> next fault ... -> logs compared
//! ```
//!
//! A fault lasts for a number of answers, and a cut at least until both ends have noticed it: that is what
//! haHousekeepingInterval is for, since a way that is cut closes no connection.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use mqcontainer::protocol::record::{BodyCrc, RecordError, RecordView};

use crate::draws::Draws;
use crate::journal::Journal;
use crate::load::Load;
use crate::network::{Host, Network, Way};
use crate::pair::{Pair, Places};
use crate::support::{Outcome, Peer, until};
use crate::world;

/// Silence is noticed soon.
const SHORT_SILENCE: &str = "haSendHeartbeatInterval = 500\nhaHousekeepingInterval = 2000\n";

#[derive(Clone, Copy, Debug)]
enum Fault {
    Parted,
    /// Nothing the master sends arrives.
    SlaveHearsNothing,
    /// Nothing the slave sends arrives.
    MasterHearsNothing,
    Loss,
    Delay,
}

#[derive(Clone, Copy, Debug)]
enum Victim {
    Nobody,
    Master,
    Slave,
}

#[test]
fn sync_flush_keeps_what_both_acknowledged() -> Outcome<()> {
    world::of_its_own("faults::sync_flush_keeps_what_both_acknowledged", || faults_under_load("SYNC_FLUSH"))
}

#[test]
fn async_flush_keeps_what_both_acknowledged() -> Outcome<()> {
    world::of_its_own("faults::async_flush_keeps_what_both_acknowledged", || faults_under_load("ASYNC_FLUSH"))
}

fn faults_under_load(flush: &str) -> Outcome<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(async {
        let mut draws = Draws::from_environment();
        let network = Network::create(draws.next())?;
        let places = Places {
            names: network.place(Host::Test),
            master: network.place(Host::Master),
            slave: network.place(Host::Slave),
        };
        let pair = Pair::start(flush, places, SHORT_SILENCE).await?;
        let journal = Arc::new(Journal::default());
        let load = Some(Load::start(&pair.master.address, &journal, draws.next()));
        let mut scene = Scene { network, pair, journal, load, draws };
        for (fault, victim) in scene.plan() {
            scene.suffer(fault, victim).await?;
        }
        scene.end().await
    })
}

struct Scene {
    network: Network,
    pair: Pair,
    journal: Arc<Journal>,
    load: Option<Load>,
    draws: Draws,
}

impl Scene {
    /// Each fault once, with a victim each, both in orders of their own.
    fn plan(&mut self) -> Vec<(Fault, Victim)> {
        let mut faults =
            [Fault::Parted, Fault::SlaveHearsNothing, Fault::MasterHearsNothing, Fault::Loss, Fault::Delay];
        let mut victims = [Victim::Nobody, Victim::Master, Victim::Master, Victim::Slave, Victim::Slave];
        for last in (1..faults.len()).rev() {
            faults.swap(last, self.draws.between(0, last));
            victims.swap(last, self.draws.between(0, last));
        }
        faults.into_iter().zip(victims).collect()
    }

    async fn suffer(&mut self, fault: Fault, victim: Victim) -> Outcome<()> {
        let before = self.journal.count() + self.draws.between(1, 200);
        self.journal.wait_for(before).await;
        let (to_slave, to_master) = self.ways(fault);
        println!("{fault:?}, {victim:?} dies: {} acknowledged, {} late", self.journal.count(), self.journal.late());
        self.network.set(Host::Master, Host::Slave, to_slave);
        self.network.set(Host::Slave, Host::Master, to_master);
        let answers = self.draws.between(6, 30);
        self.answered(answers).await;
        if to_slave == Way::CUT || to_master == Way::CUT {
            let late = self.journal.late() + self.draws.between(1, 6);
            self.journal.wait_for_late(late).await;
            until("both notice the silence", || async { self.linked().await == Some((false, false)) }).await;
        }
        self.kill(victim).await?;
        let answers = self.draws.between(1, 20);
        self.answered(answers).await;
        println!("  heals: {} acknowledged, {} late", self.journal.count(), self.journal.late());
        let harmed = self.network.heal();
        assert!(harmed > 0, "{fault:?} harmed no packet");
        let healed = Instant::now();
        until("the slave follows again", || async { self.linked().await == Some((true, true)) }).await;
        self.journal.wait_for(self.journal.count() + 1).await;
        println!("  {harmed} packets harmed, SEND_OK {} ms after", healed.elapsed().as_millis());
        Ok(())
    }

    /// From master to slave, and back.
    fn ways(&mut self, fault: Fault) -> (Way, Way) {
        let whole = Way::default();
        match fault {
            Fault::Parted => (Way::CUT, Way::CUT),
            Fault::SlaveHearsNothing => (Way::CUT, whole),
            Fault::MasterHearsNothing => (whole, Way::CUT),
            Fault::Loss => {
                let way = Way { loss: self.draws.between(20, 40), ..whole };
                (way, way)
            }
            Fault::Delay => {
                let way = Way { delay: (20, self.draws.between(40, 80)), ..whole };
                (way, way)
            }
        }
    }

    /// Whether the master has a link to a slave, and the slave one to its master; `None` unless both answer.
    async fn linked(&self) -> Option<(bool, bool)> {
        let client = Peer::new();
        let master = client.ha_status(&self.pair.master.address[0]).await.ok()?;
        let slave = client.ha_status(&self.pair.slave.address[0]).await.ok()?;
        Some((!master.ha_connection_info.is_empty(), slave.ha_client_runtime_info.activated))
    }

    /// Waits for so many more answers of either kind.
    async fn answered(&self, more: usize) {
        let answers = || self.journal.count() + self.journal.late();
        let wanted = answers() + more;
        until("producers are answered", || async { answers() >= wanted }).await;
    }

    /// kill -9, and a start while the network is still at fault.
    async fn kill(&mut self, victim: Victim) -> Outcome<()> {
        match victim {
            Victim::Nobody => {}
            Victim::Slave => {
                self.pair.slave.kill()?;
                let late = self.journal.late() + self.draws.between(1, 6);
                self.journal.wait_for_late(late).await;
                self.pair.slave.start()?;
            }
            Victim::Master => {
                self.kill_master().await?;
                self.pair.master.start()?;
                self.load = Some(Load::start(&self.pair.master.address, &self.journal, self.draws.next()));
            }
        }
        Ok(())
    }

    /// What was acknowledged can be read from the slave at once.
    async fn kill_master(&mut self) -> Outcome<()> {
        self.pair.master.kill()?;
        if let Some(load) = self.load.take() {
            load.stop().await;
        }
        self.journal.check(&self.pair.slave.address).await?;
        Ok(())
    }

    async fn end(mut self) -> Outcome<()> {
        self.kill_master().await?;
        self.pair.master.start()?;
        let kept = self.journal.check(&self.pair.master.address).await?;
        assert!(kept >= 5, "something was acknowledged before each fault");
        self.pair.logs_become_equal().await;
        self.journal.check(&self.pair.slave.address).await?;
        for member in [&self.pair.master, &self.pair.slave] {
            check_log(&member.log_files()?, &self.journal);
        }
        self.pair.stop()
    }
}

/// Every message is in the log once, and those that were acknowledged are there: queues would not show a copy that no queue points to.
fn check_log(files: &[Vec<u8>], journal: &Journal) {
    let mut copies: BTreeMap<&[u8], usize> = BTreeMap::new();
    for file in files {
        let mut rest = &file[..];
        loop {
            match RecordView::parse(rest, BodyCrc::Check) {
                Ok(record) => {
                    *copies.entry(record.body).or_default() += 1;
                    rest = &rest[record.bytes.len()..];
                }
                // The filler of a full file, or where nothing has been written.
                Err(RecordError::Blank { .. } | RecordError::BadMagic { magic: 0 } | RecordError::NeedMore { .. }) => {
                    break;
                }
                Err(error) => panic!("the log holds something else than messages: {error}"),
            }
        }
    }
    assert!(copies.values().all(|copies| *copies == 1), "messages are in the log more than once");
    for body in journal.bodies() {
        assert_eq!(copies.get(&body[..]), Some(&1), "{}: acknowledged, not in the log", String::from_utf8_lossy(&body));
    }
}
