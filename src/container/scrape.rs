//! One scrape: every broker is asked for its figures, and what it and the process say becomes a page.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::broker::stages::{BATCH_BOUNDS, MICROS_BOUNDS, Stages};
use crate::broker::{Snapshot, Standing};
use crate::config::Config;
use crate::dispatch::{Admission, Dispatch, LATENCY_BOUNDS_MILLIS, Lane};
use crate::env::{Env, TaskKind, Usage};
use crate::observe::catalogue as series;
use crate::observe::exposition::{Buckets, Exposition, Owner, count};
use crate::raft::Role;
use crate::remoting::{CloseReason, Counters};

use super::figures;
use super::members::Members;
use super::registration::Registrar;
use super::status::{BrokerStatus, Serving, State, role_word};
use super::supervisor::Supervisor;

/// A broker that takes longer to give its figures is shown as down; the others are asked at the same time.
const SNAPSHOT_TIMEOUT: Duration = Duration::from_secs(2);

/// Where a page of metrics comes from.
pub(super) struct Scrape {
    supervisor: Supervisor,
    registrar: Registrar,
    dispatch: Dispatch,
    members: Members,
    env: Env,
    config: Arc<Config>,
}

impl Scrape {
    pub(super) fn new(
        supervisor: Supervisor,
        registrar: Registrar,
        (dispatch, members): (Dispatch, Members),
        env: &Env,
        config: &Arc<Config>,
    ) -> Scrape {
        Scrape { supervisor, registrar, dispatch, members, env: env.clone(), config: Arc::clone(config) }
    }

    /// The page, now.
    pub(super) async fn page(&self) -> String {
        let mut page = Exposition::default();
        for (broker, snapshot) in self.ask_all().await {
            let owner = owner(&broker);
            add_state(&mut page, &owner, &broker, snapshot.is_some());
            if let State::Serving(serving) = &broker.state {
                add_serving(&mut page, &owner, serving);
                add_admission(&mut page, &owner, &serving.admission, snapshot.as_ref());
            }
            if let Some(snapshot) = &snapshot {
                figures::add(&mut page, &owner, snapshot);
            }
        }
        self.add_own_ports(&mut page);
        self.add_process(&mut page);
        page.render()
    }

    /// Every broker with its figures, if it serves and gives them in time.
    async fn ask_all(&self) -> Vec<(BrokerStatus, Option<Snapshot>)> {
        let ask = |broker: BrokerStatus| {
            let owner: Arc<str> = broker.identity.to_string().into();
            let task = async move {
                let snapshot = match &broker.state {
                    State::Serving(serving) => {
                        let answer = tokio::time::timeout(SNAPSHOT_TIMEOUT, serving.handle.snapshot());
                        answer.await.unwrap_or_default()
                    }
                    _ => None,
                };
                (broker, snapshot)
            };
            self.env.tasks.spawn(TaskKind::Http, &owner, task)
        };
        let asked: Vec<_> = self.supervisor.brokers().into_iter().map(ask).collect();
        let mut answers = Vec::with_capacity(asked.len());
        for asked in asked {
            if let Ok(Ok(answer)) = asked.await {
                answers.push(answer);
            }
        }
        answers
    }

    /// The ports that belong to no broker: the container's and the NameServer's.
    fn add_own_ports(&self, page: &mut Exposition) {
        for port in self.dispatch.ports() {
            let node_type = match &*port.owner {
                super::OWNER => "container",
                super::NAMESRV_OWNER => "namesrv",
                _ => continue,
            };
            let owner = Owner { node_type, node_id: port.owner.to_string(), ..Owner::default() };
            let fast = port.address.port() == self.config.container.ports.fast;
            add_port(page, &owner, if fast { "fast" } else { "main" }, &port.counters);
        }
    }

    /// Between the members of DLedger groups.
    fn add_members(&self, page: &mut Exposition) {
        let counters = self.members.counters();
        page.add(&series::MEMBERS_STREAMS, None, &[], count(counters.streams.load(Ordering::Relaxed)));
        let outcomes = [("delivered", &counters.delivered), ("sent", &counters.sent), ("dropped", &counters.dropped)];
        for (outcome, letters) in outcomes {
            page.add(&series::MEMBERS_LETTERS, None, &[outcome], count(letters.load(Ordering::Relaxed)));
        }
    }

    fn add_process(&self, page: &mut Exposition) {
        let transport = self.dispatch.transport();
        let values = [
            (&series::OPEN_CONNECTIONS, transport.open_connections()),
            (&series::REQUEST_BYTES, transport.request_bytes() as u64),
            (&series::PARTIAL_BYTES, transport.partial_bytes() as u64),
            (&series::OUTBOUND_BYTES, transport.outbound_bytes() as u64),
            (&series::POOL_THREADS, self.config.container.limits.io_threads as u64),
            (&series::POOL_RUNNING, self.env.pool.running() as u64),
            (&series::POOL_WAITING, self.env.pool.waiting() as u64),
        ];
        for (family, value) in values {
            page.add(family, None, &[], count(value));
        }
        self.add_members(page);
        for server in self.registrar.status() {
            let labels = [server.address.as_str()];
            page.add(&series::NAMESERVER_REACHABLE, None, &labels, flag(server.reachable == Some(true)));
            page.add(&series::NAMESERVER_REGISTERED, None, &labels, count(server.registered.len() as u64));
        }
        // A system without /proc has no such series.
        if let Ok(usage) = Usage::now() {
            page.add(&series::PROCESS_CPU, None, &[], usage.cpu.as_secs_f64());
            page.add(&series::PROCESS_MEMORY, None, &[], count(usage.resident_bytes));
            page.add(&series::PROCESS_THREADS, None, &[], count(usage.threads));
        }
    }
}

fn owner(broker: &BrokerStatus) -> Owner {
    Owner {
        cluster: broker.identity.cluster.clone(),
        node_type: "broker",
        node_id: broker.identity.name.clone(),
        broker_id: broker.identity.id.to_string(),
        broker_role: broker.role.as_str().to_owned(),
    }
}

fn add_state(page: &mut Exposition, owner: &Owner, broker: &BrokerStatus, answers: bool) {
    page.add(&series::BROKER_UP, Some(owner), &[], flag(answers));
    for word in State::WORDS {
        page.add(&series::BROKER_STATE, Some(owner), &[word], flag(word == broker.state.word()));
    }
    page.add(&series::BROKER_RESTARTS, Some(owner), &[], count(broker.restarts));
    if let Some(standing) = &broker.standing {
        add_standing(page, owner, standing);
    }
}

/// What a member of a DLedger group is.
fn add_standing(page: &mut Exposition, owner: &Owner, standing: &Standing) {
    let number = |value: i64| count(u64::try_from(value).unwrap_or(0));
    page.add(&series::RAFT_TERM, Some(owner), &[], number(standing.term.0.into()));
    page.add(&series::RAFT_LEADER_KNOWN, Some(owner), &[], flag(standing.leader.is_some()));
    page.add(&series::RAFT_COMMIT_OFFSET, Some(owner), &[], number(standing.committed.0));
    page.add(&series::RAFT_ELECTIONS_WON, Some(owner), &[], count(standing.elections));
    for role in [Role::Follower, Role::PreCandidate, Role::Candidate, Role::Leader] {
        page.add(&series::RAFT_ROLE, Some(owner), &[role_word(role)], flag(role == standing.role));
    }
}

fn add_serving(page: &mut Exposition, owner: &Owner, serving: &Serving) {
    page.add(&series::BROKER_START_SECONDS, Some(owner), &[], serving.took.as_secs_f64());
    page.add(&series::MAILBOX_DEPTH, Some(owner), &[], count(serving.handle.waiting() as u64));
    page.add(&series::MAILBOX_REFUSED, Some(owner), &[], count(serving.handle.refused()));
    add_stages(page, owner, serving.handle.stages());
    for (name, counters) in ["main", "fast"].into_iter().zip(&serving.ports) {
        add_port(page, owner, name, counters);
    }
}

fn add_stages(page: &mut Exposition, owner: &Owner, stages: &Stages) {
    let times =
        [("queue", &stages.queue), ("append", &stages.append), ("flush", &stages.flush), ("turn", &stages.turn)];
    for (stage, times) in times {
        let seconds = MICROS_BOUNDS.map(|micros| Duration::from_micros(micros).as_secs_f64());
        let sum = Duration::from_micros(times.sum()).as_secs_f64();
        let buckets = Buckets { bounds: &seconds, counts: &times.counts(), sum };
        page.histogram(&series::STAGE_SECONDS, Some(owner), &[stage], buckets);
    }
    for (family, sizes) in [(&series::BATCH_REQUESTS, &stages.requests), (&series::BATCH_APPENDS, &stages.appends)] {
        let buckets = Buckets { bounds: &BATCH_BOUNDS, counts: &sizes.counts(), sum: count(sizes.sum()) };
        page.histogram(family, Some(owner), &[], buckets);
    }
}

fn add_admission(page: &mut Exposition, owner: &Owner, admission: &Admission, snapshot: Option<&Snapshot>) {
    for lane in Lane::ALL {
        let (requests, bytes) = admission.in_flight(lane);
        let labels = [lane.label()];
        page.add(&series::LANE_REQUESTS, Some(owner), &labels, count(requests as u64));
        page.add(&series::LANE_BYTES, Some(owner), &labels, count(bytes as u64));
        page.add(&series::LANE_REFUSED, Some(owner), &labels, count(admission.refused(lane) as u64));
        let (processor, held) = match lane {
            Lane::Send => ("send", 0),
            Lane::Fetch => ("pull", snapshot.map_or(0, |snapshot| snapshot.held_pulls)),
            Lane::Control => ("admin", 0),
        };
        let waiting = requests.saturating_sub(held);
        page.add(&series::PROCESSOR_WATERMARK, Some(owner), &[processor], count(waiting as u64));
    }
    for (rpc, latency) in admission.latencies().all() {
        let polling = if rpc.long_polling { "true" } else { "false" };
        let labels = [figures::PROTOCOL, rpc.request_name(), rpc.response_name(), polling, rpc.result.label()];
        let sum = Duration::from_micros(latency.sum_micros()).as_secs_f64() * 1_000.0;
        let buckets = Buckets { bounds: &LATENCY_BOUNDS_MILLIS, counts: &latency.counts(), sum };
        page.histogram(&series::RPC_LATENCY, Some(owner), &labels, buckets);
    }
}

fn add_port(page: &mut Exposition, owner: &Owner, port: &str, counters: &Counters) {
    let values = [
        (&series::PORT_CONNECTIONS, &counters.active),
        (&series::PORT_ACCEPTED, &counters.accepted),
        (&series::PORT_REFUSED, &counters.refused),
        (&series::PORT_BYTES_IN, &counters.bytes_in),
        (&series::PORT_BYTES_OUT, &counters.bytes_out),
        (&series::PORT_FRAMES_IN, &counters.frames_in),
        (&series::PORT_FRAMES_OUT, &counters.frames_out),
        (&series::PORT_READS, &counters.reads),
        (&series::PORT_WRITES, &counters.writes),
    ];
    for (family, value) in values {
        page.add(family, Some(owner), &[port], count(value.load(Ordering::Relaxed)));
    }
    for reason in CloseReason::ALL {
        page.add(&series::PORT_CLOSED, Some(owner), &[port, reason.label()], count(counters.closed(reason)));
    }
}

fn flag(holds: bool) -> f64 {
    if holds { 1.0 } else { 0.0 }
}
