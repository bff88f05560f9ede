//! Lanes that read: one per queue, with long polls.

use std::sync::Arc;
use std::time::Duration;

use super::Error;
use super::arguments::{ConsumeArguments, From};
use super::cluster::{Access, Cluster, Role, Target};
use super::finish::Finish;
use super::interval::Recorders;
use super::message::SENT;
use super::run::{Load, failure};
use crate::env::{Env, TaskKind, Tasks};
use crate::protocol::codes::{request, response};
use crate::protocol::command::Command;
use crate::protocol::headers::offset::{
    MaxOffsetRequest, OffsetResponse, QueryConsumerOffsetRequest, UpdateConsumerOffsetRequest,
};
use crate::protocol::headers::pull::{PullRequest, PullResponse};
use crate::protocol::ids::QueueOffset;
use crate::protocol::record::{self, BodyCrc};
use crate::protocol::sys_flag::pull;
use crate::remoting::{CallError, Client};

/// Java: `brokerSuspendMaxTimeMillis`.
const SUSPEND: Duration = Duration::from_secs(15);
/// Java: `consumerTimeoutMillisWhenSuspend`.
const TIMEOUT: Duration = Duration::from_secs(30);
/// After an answer that is neither messages nor "nothing new".
const PAUSE: Duration = Duration::from_millis(100);

/// Reads one queue.
struct Lane {
    env: Env,
    lanes: Tasks,
    client: Client,
    connection: usize,
    target: Target,
    topic: String,
    group: String,
    messages_max: i32,
    next: QueueOffset,
    recorders: Arc<Recorders>,
    /// With `--drain`: the end of the queue at the start, until it is read.
    until: Option<QueueOffset>,
    finish: Arc<Finish>,
}

/// Starts one lane per queue; they run until the tasks are cancelled.
pub(super) async fn start(arguments: &ConsumeArguments, env: &Env) -> Result<Load, Error> {
    let shared = &arguments.shared;
    let cluster = Cluster::new(shared, 1024, env);
    let targets = cluster.targets(shared, &[shared.topic.as_str().into()], Access::Read).await?;
    let role =
        Role::Consumer { run: env.entropy.next_u64(), group: arguments.group.clone(), topic: shared.topic.clone() };
    cluster.keep_alive(&targets, &role).await?;
    let recorders = Arc::new(Recorders::new(cluster.clients.len()));
    let finish = Arc::new(Finish::new(targets.len()));
    for (index, target) in targets.iter().enumerate() {
        let connection = index % cluster.clients.len();
        let lane = Lane {
            env: env.clone(),
            lanes: cluster.lanes.clone(),
            client: cluster.clients[connection].clone(),
            connection,
            target: target.clone(),
            topic: shared.topic.clone(),
            group: arguments.group.clone(),
            messages_max: arguments.batch,
            next: first_offset(&cluster, arguments, target).await?,
            recorders: Arc::clone(&recorders),
            until: if arguments.drain { Some(end(&cluster, arguments, target, From::Last).await?) } else { None },
            finish: Arc::clone(&finish),
        };
        drop(cluster.lanes.spawn(TaskKind::Load, &cluster.owner, lane.run()));
    }
    Ok(Load { cluster, targets, role, recorders, finish })
}

/// Where the group stands in a queue, or where it begins.
async fn first_offset(cluster: &Cluster, arguments: &ConsumeArguments, target: &Target) -> Result<QueueOffset, Error> {
    let topic = &arguments.shared.topic;
    let mut command = Command { code: request::QUERY_CONSUMER_OFFSET, ..Command::default() };
    let header = QueryConsumerOffsetRequest {
        consumer_group: &arguments.group,
        topic,
        queue_id: target.queue,
        set_zero_if_not_found: Some(false),
    };
    header.encode(&mut command.ext);
    let what = "progress of the group";
    match cluster.ask(what, &target.address, command).await {
        Ok(answer) => return offset(what, target, &answer),
        Err(Error::Refused { code: response::QUERY_NOT_FOUND, .. }) => {}
        Err(error) => return Err(error),
    }
    end(cluster, arguments, target, arguments.from).await
}

/// One of the two ends of a queue.
async fn end(
    cluster: &Cluster,
    arguments: &ConsumeArguments,
    target: &Target,
    which: From,
) -> Result<QueueOffset, Error> {
    let topic = &arguments.shared.topic;
    let (what, code) = match which {
        From::First => ("first offset", request::GET_MIN_OFFSET),
        From::Last => ("last offset", request::GET_MAX_OFFSET),
    };
    let mut command = Command { code, ..Command::default() };
    MaxOffsetRequest { topic, queue_id: target.queue, ..MaxOffsetRequest::default() }.encode(&mut command.ext);
    offset(what, target, &cluster.ask(what, &target.address, command).await?)
}

fn offset(what: &'static str, target: &Target, answer: &Command) -> Result<QueueOffset, Error> {
    let malformed = |reason| Error::Malformed { what, address: target.address.to_string(), reason };
    OffsetResponse::decode(&answer.ext).map(|header| header.offset).map_err(|error| malformed(error.to_string()))
}

impl Lane {
    async fn run(mut self) {
        let lanes = self.lanes.clone();
        tokio::select! {
            () = lanes.cancelled() => {}
            () = self.read_for_ever() => {}
        }
        let committed = self.client.oneway(&self.target.address, self.commit()).await;
        if let Err(error) = committed {
            tracing::debug!(%error, "progress");
        }
    }

    async fn read_for_ever(&mut self) {
        loop {
            if self.until.is_some_and(|until| self.next >= until) {
                self.until = None;
                self.finish.lane_done();
            }
            let answer = self.client.call(&self.target.address, self.pull(), TIMEOUT).await;
            if !self.take(&answer) {
                tokio::time::sleep(PAUSE).await;
            }
        }
    }

    /// Counts what came and moves on; false when something is wrong.
    fn take(&mut self, answer: &Result<Command, CallError>) -> bool {
        let Ok(command) = answer else { return self.wrong(failure(answer)) };
        let next = match PullResponse::decode(&command.ext) {
            Ok(header) => header.next_begin_offset,
            Err(error) if command.code == response::SUCCESS => return self.wrong(error.to_string()),
            Err(_) => self.next,
        };
        match command.code {
            response::SUCCESS => {
                self.next = next;
                self.count(&command.body.to_bytes())
            }
            response::PULL_NOT_FOUND => true,
            response::PULL_RETRY_IMMEDIATELY | response::PULL_OFFSET_MOVED => {
                self.next = next;
                true
            }
            _ => self.wrong(failure(answer)),
        }
    }

    fn count(&self, body: &[u8]) -> bool {
        let now_us = self.env.clock.now_micros();
        let mut malformed = None;
        self.recorders.record(self.connection, |interval| {
            let (mut messages, mut bytes) = (0, 0);
            for record in record::records(body, BodyCrc::Check) {
                match record {
                    Ok(record) => {
                        messages += 1;
                        bytes += record.body.len() as u64;
                        let sent = record.property(SENT).and_then(|sent| sent.parse().ok());
                        let born_us = sent.unwrap_or(record.born_timestamp.0.saturating_mul(1_000));
                        let age = now_us.saturating_sub(born_us);
                        interval.latency(Duration::from_micros(u64::try_from(age).unwrap_or(0)));
                    }
                    Err(error) => malformed = Some(error.to_string()),
                }
            }
            interval.success(messages, bytes);
        });
        malformed.is_none_or(|reason| self.wrong(reason))
    }

    fn wrong(&self, reason: String) -> bool {
        self.recorders.record(self.connection, |interval| interval.error(&reason));
        false
    }

    fn pull(&self) -> Command {
        let mut command = Command { code: request::PULL_MESSAGE, ..Command::default() };
        let header = PullRequest {
            consumer_group: &self.group,
            topic: &self.topic,
            queue_id: self.target.queue,
            queue_offset: self.next,
            max_msg_nums: self.messages_max,
            sys_flag: pull::COMMIT_OFFSET | pull::SUSPEND | pull::SUBSCRIPTION,
            commit_offset: self.next,
            suspend_timeout_millis: i64::try_from(SUSPEND.as_millis()).unwrap_or(i64::MAX),
            subscription: Some("*"),
            expression_type: Some("TAG"),
            ..PullRequest::default()
        };
        header.encode(&mut command.ext);
        command
    }

    fn commit(&self) -> Command {
        let mut command = Command { code: request::UPDATE_CONSUMER_OFFSET, ..Command::default() };
        let header = UpdateConsumerOffsetRequest {
            consumer_group: &self.group,
            topic: &self.topic,
            queue_id: self.target.queue,
            commit_offset: self.next,
        };
        header.encode(&mut command.ext);
        command
    }
}
