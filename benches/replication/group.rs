//! A master and its slave, and load on them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use mqcontainer::env::{SystemClock, Tasks};
use mqcontainer::protocol::body::route::ClusterInfo;
use mqcontainer::protocol::body::stats::HaRuntimeInfo;
use mqcontainer::protocol::codes::request;
use mqcontainer::protocol::command::Command;
use mqcontainer::protocol::ids::BrokerId;
use mqcontainer::protocol::json;
use mqcontainer::remoting::{Client, Limits, Transport};

use crate::Arguments;
use crate::harness::deployment::{Deployment, Kind, Plan};
use crate::harness::generator::{Generator, Load, millis};

/// A Java slave that found no master at once tries again after 5 s.
const FOLLOWED: Duration = Duration::from_secs(240);
const POLL: Duration = Duration::from_millis(50);
const CALL: Duration = Duration::from_secs(3);

/// What both brokers have; otherwise the slave would look for its master at the machine's own address.
const BOTH: &str = "brokerIP2=127.0.0.1\ntotalReplicas=2\ninSyncReplicas=2\n";
const SLAVE: &str = "brokerRole=SLAVE\n";

/// 1 KiB sends over 16 connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// Open loop at `--rate`.
    Rate,
    /// One in flight on each connection.
    Sync,
    /// As many as `--inflight` on each.
    Saturated,
}

/// A running master, whose slave follows it.
pub struct Group<'a> {
    pub deployment: Deployment,
    arguments: &'a Arguments,
}

impl<'a> Group<'a> {
    /// Starts both and waits until the master has a link to its slave.
    pub fn start(arguments: &'a Arguments, kind: Kind, role: &str, java: Option<&str>) -> Group<'a> {
        let plan = Plan {
            kind,
            brokers: 2,
            group: true,
            server: arguments.server.clone().unwrap_or_else(|| env!("CARGO_BIN_EXE_mqcontainer").into()),
            java: java.map(str::to_owned),
            sync_flush: false,
            conf: BOTH.to_owned(),
        };
        let deployment = Deployment::start_each(&plan, |id| match id {
            0 => format!("brokerRole={role}\n"),
            _ => SLAVE.to_owned(),
        });
        await_slave(&deployment.namesrv);
        Group { deployment, arguments }
    }

    /// Java's code is interpreted at first. Saturated, because that compiles most in the least time.
    pub fn warm_up(&mut self) {
        if self.deployment.kind.is_java() {
            self.run(Work::Saturated, 0.0, self.arguments.java_warmup);
        }
    }

    pub fn send(&mut self, work: Work) -> Load {
        let load = self.run(work, self.arguments.warmup, self.arguments.seconds);
        self.deployment.discard_full_files();
        load
    }

    fn run(&self, work: Work, warmup: f64, seconds: f64) -> Load {
        let program = self.arguments.generator.clone().unwrap_or_else(|| env!("CARGO_BIN_EXE_mqcontainer").into());
        let (namesrv, pids) = (&self.deployment.namesrv, self.deployment.pids());
        let (warmup, seconds) = (millis(warmup), millis(seconds));
        let shared = ["send", "--topic", "replication", "--size", "1KiB", "--connections", "16", "--namesrv", namesrv];
        let measured = ["--server-pid", &pids, "--warmup", &warmup, "--duration", &seconds];
        let number = match work {
            Work::Rate => self.arguments.rate.to_string(),
            Work::Sync => String::new(),
            Work::Saturated => self.arguments.inflight.to_string(),
        };
        let own: &[&str] = match work {
            Work::Rate => &["--rate", &number],
            Work::Sync => &[],
            Work::Saturated => &["--mode", "async", "--inflight", &number],
        };
        let options = [&shared[..], &measured, own].concat();
        Generator::start(&program, self.deployment.directory(), "load", &options).load().expect("a load that works")
    }
}

/// Asks the NameServer who the master is, and the master (907) until a slave is linked to it.
fn await_slave(namesrv: &str) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let deadline = Instant::now() + FOLLOWED;
    runtime.block_on(async {
        let tasks = Tasks::new();
        let transport = Transport::new(Limits::default());
        let client = Client::new(&"bench".into(), &transport, Arc::new(SystemClock::new()), &tasks, None);
        while !is_followed(&client, namesrv).await.unwrap_or(false) {
            assert!(Instant::now() < deadline, "no slave follows within {FOLLOWED:?}");
            tokio::time::sleep(POLL).await;
        }
        tasks.cancel();
    });
}

async fn is_followed(client: &Client, namesrv: &str) -> Option<bool> {
    let ask = |code| Command { code, ..Command::default() };
    let answer = client.call(namesrv, ask(request::GET_BROKER_CLUSTER_INFO), CALL).await.ok()?;
    let cluster: ClusterInfo = json::from_java(&answer.body.to_bytes()).ok()?;
    let group = cluster.broker_addr_table.into_values().next()?;
    let master = group.broker_addrs.get(&BrokerId(0).0)?;
    let answer = client.call(master, ask(request::GET_BROKER_HA_STATUS), CALL).await.ok()?;
    let status: HaRuntimeInfo = json::from_java(&answer.body.to_bytes()).ok()?;
    Some(!status.ha_connection_info.is_empty())
}
