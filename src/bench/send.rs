//! Lanes that send: each has one request in flight.

use std::sync::Arc;
use std::time::Duration;

use super::Error;
use super::arguments::{Mode, SendArguments};
use super::cluster::{self, Access, Cluster, Role, Target};
use super::finish::Finish;
use super::interval::Recorders;
use super::message::{Composer, Moment};
use super::run::{Load, failure};
use super::schedule::{Schedule, counts_from};
use crate::env::{Env, TaskKind, Tasks};
use crate::protocol::codes::response;
use crate::protocol::ids::Millis;
use crate::remoting::{CallError, Client, PushError};

/// Java: `sendMsgTimeout` of a producer.
const TIMEOUT: Duration = Duration::from_secs(3);
/// After a request that got no answer at all; without it a dead server would be tried in a busy loop.
const PAUSE: Duration = Duration::from_millis(10);
/// While the socket takes no more one-way requests.
const BACK_OFF: Duration = Duration::from_millis(1);

/// One request in flight.
struct Lane {
    work: Arc<Work>,
    client: Client,
    connection: usize,
}

/// What all lanes share.
struct Work {
    env: Env,
    lanes: Tasks,
    composer: Composer,
    targets: Vec<Target>,
    schedule: Schedule,
    recorders: Arc<Recorders>,
    oneway: bool,
    began: Duration,
    /// Requests to make, if they are counted.
    requests_max: Option<u64>,
    finish: Arc<Finish>,
}

/// Starts all lanes; they run until the tasks are cancelled.
pub(super) async fn start(arguments: &SendArguments, env: &Env) -> Result<Load, Error> {
    let shared = &arguments.shared;
    arguments.check_size()?;
    let lanes = arguments.lanes_per_connection()?;
    let rate = arguments.request_rate()?;
    let cluster = Cluster::new(shared, lanes as usize + cluster::CALLS_BESIDE, env);
    let targets = cluster.targets(shared, &arguments.topics(), Access::Write).await?;
    let run = env.entropy.next_u64();
    let role = Role::Producer { run, group: "bench-producer".into() };
    cluster.keep_alive(&targets, &role).await?;
    let recorders = Arc::new(Recorders::new(cluster.clients.len()));
    let finish = Arc::new(Finish::new(lanes as usize * cluster.clients.len()));
    let work = Arc::new(Work {
        env: env.clone(),
        lanes: cluster.lanes.clone(),
        composer: Composer::new("bench-producer", arguments.shape(), run),
        targets: targets.clone(),
        schedule: Schedule::new(rate),
        recorders: Arc::clone(&recorders),
        oneway: arguments.mode == Mode::Oneway,
        began: env.clock.monotonic(),
        requests_max: arguments.requests_max(),
        finish: Arc::clone(&finish),
    });
    for (connection, client) in cluster.clients.iter().enumerate() {
        for _ in 0..lanes {
            let lane = Lane { work: Arc::clone(&work), client: client.clone(), connection };
            drop(cluster.lanes.spawn(TaskKind::Load, &cluster.owner, lane.run()));
        }
    }
    Ok(Load { cluster, targets, role, recorders, finish })
}

impl Lane {
    async fn run(self) {
        tokio::select! {
            () = self.work.lanes.cancelled() => {}
            () = self.send_all() => self.work.finish.lane_done(),
        }
    }

    /// Returns when enough requests were made; never, if only time ends the load.
    async fn send_all(&self) {
        loop {
            let (number, due) = self.work.schedule.take();
            if self.work.requests_max.is_some_and(|max| number >= max) {
                return;
            }
            let from = match due {
                Some(due) => self.wait_until(due).await,
                None => self.elapsed(),
            };
            if self.work.oneway {
                self.send_oneway(number, from).await;
            } else {
                self.send(number, from).await;
            }
        }
    }

    /// Sleeps until a request is due; returns from when its latency counts.
    async fn wait_until(&self, due: Duration) -> Duration {
        let pause = due.saturating_sub(self.elapsed());
        let slept = !pause.is_zero();
        if slept {
            tokio::time::sleep(pause).await;
        }
        counts_from(due, slept, self.elapsed())
    }

    async fn send(&self, number: u64, from: Duration) {
        let target = self.target(number);
        let (command, bytes) = self.work.composer.request(number, target, self.moment(from));
        let answer = self.client.call(&target.address, command, TIMEOUT).await;
        let took = self.elapsed().saturating_sub(from);
        let unanswered = answer.is_err();
        self.work.recorders.record(self.connection, |interval| match answer {
            Ok(answer) if answer.code == response::SUCCESS => {
                interval.success(self.work.composer.messages(), bytes);
                interval.latency(took);
            }
            answer => interval.error(&failure(&answer)),
        });
        if unanswered {
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Hands the request to the socket; waits while it takes none, but for a gone connection only once.
    async fn send_oneway(&self, number: u64, from: Duration) {
        let target = self.target(number);
        loop {
            let (command, bytes) = self.work.composer.request(number, target, self.moment(from));
            match self.client.oneway(&target.address, command).await {
                Err(CallError::Push(PushError::Full { .. })) => tokio::time::sleep(BACK_OFF).await,
                Err(error) => {
                    self.work.recorders.record(self.connection, |interval| interval.error(&failure(&Err(error))));
                    return tokio::time::sleep(PAUSE).await;
                }
                Ok(()) => {
                    let messages = self.work.composer.messages();
                    self.work.recorders.record(self.connection, |interval| interval.success(messages, bytes));
                    // A lane that never waits would keep its thread from the sockets.
                    return tokio::task::yield_now().await;
                }
            }
        }
    }

    fn target(&self, number: u64) -> &Target {
        let targets = &self.work.targets;
        let index = number % targets.len() as u64;
        &targets[usize::try_from(index).unwrap_or(0)]
    }

    fn elapsed(&self) -> Duration {
        self.work.env.clock.monotonic().saturating_sub(self.work.began)
    }

    /// Of a request whose latency counts from `from`.
    fn moment(&self, from: Duration) -> Moment {
        let now_us = self.work.env.clock.now_micros();
        let late = i64::try_from(self.elapsed().saturating_sub(from).as_micros()).unwrap_or(0);
        Moment { born: Millis(now_us / 1_000), due_us: now_us - late }
    }
}
