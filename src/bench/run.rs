//! One run from options to result.

use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;

use super::arguments::{Arguments, Mode, Shared, What};
use super::cluster::{Cluster, Role, Target};
use super::finish::Finish;
use super::interval::Recorders;
use super::machine::{self, Machine};
use super::progress::{Measured, Watch};
use super::report::{self, Generator, Report, Server, Settings, Totals};
use super::{Error, consume, send};
use crate::env::{Clock, Env, IoPool, SystemClock, SystemDisk, SystemEntropy, Tasks};
use crate::protocol::codes::response_name;
use crate::protocol::command::Command;
use crate::remoting::{CallError, PushError};

/// Queues named in the report.
const TARGETS_NAMED_MAX: usize = 64;

/// Load that runs.
pub(super) struct Load {
    pub(super) cluster: Cluster,
    pub(super) targets: Vec<Target>,
    pub(super) role: Role,
    pub(super) recorders: Arc<Recorders>,
    /// Reached before its time when the load is counted.
    pub(super) finish: Arc<Finish>,
}

/// Runs the load and prints the result.
///
/// # Errors
/// Nothing was measured, or the result could not be written.
pub fn run(arguments: &Arguments) -> Result<(), Error> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(Error::Start)?;
    let env = Env {
        clock: Arc::new(SystemClock::new()),
        disk: Arc::new(SystemDisk),
        entropy: Arc::new(SystemEntropy),
        pool: IoPool::start(1, 1).map_err(Error::Start)?,
        tasks: Tasks::new(),
    };
    let (load, shared, settings) = match &arguments.command {
        What::Send(send) => ("send", &send.shared, send_settings(send)?),
        What::Consume(consume) => ("consume", &consume.shared, consume_settings(consume)),
    };
    let (measured, targets) = runtime.block_on(measure(arguments, shared, &env))?;
    let report = Report {
        load,
        date: date(env.clock.as_ref()),
        revision: machine::revision(),
        machine: Machine::read(env.disk.as_ref()),
        settings: Settings { targets: names(&targets), ..settings },
        result: Totals::new(&measured.total, measured.elapsed),
        server: measured.server.map(|(before, after)| Server::new(&before, &after, measured.total.messages)),
        generator: measured.generator.map(|(before, after)| Generator::new(&before, &after, &measured)),
        seconds: measured.seconds,
    };
    print(&report::table(&report));
    if let Some(path) = &shared.json {
        write(&env, path, &report)?;
    }
    if report.result.requests == 0 && (load == "send" || !report.result.errors.is_empty()) {
        return Err(Error::NothingDone { reasons: report::reasons(&report.result.errors) });
    }
    Ok(())
}

async fn measure(arguments: &Arguments, shared: &Shared, env: &Env) -> Result<(Measured, Vec<Target>), Error> {
    let load = match &arguments.command {
        What::Send(arguments) => send::start(arguments, env).await?,
        What::Consume(arguments) => consume::start(arguments, env).await?,
    };
    let watch = Watch::new(env, &load, &shared.server_pid)?;
    let measured = watch.measure(shared.warmup, shared.duration).await;
    load.cluster.lanes.cancel();
    load.cluster.lanes.ended().await;
    load.cluster.leave(&load.targets, &load.role).await;
    env.tasks.cancel();
    env.tasks.ended().await;
    Ok((measured?, load.targets))
}

/// Why a request was no success, as few different texts as there are reasons.
pub(super) fn failure(answer: &Result<Command, CallError>) -> String {
    let reason = match answer {
        Ok(answer) => return format!("code {} {}", answer.code, response_name(answer.code).unwrap_or("unknown")),
        Err(CallError::Push(PushError::Closed(_)) | CallError::Closed(_)) => "connection closed",
        Err(CallError::Push(PushError::Full { .. })) => "socket takes no more",
        Err(CallError::Push(PushError::TooLong { .. })) => "longer than a frame",
        Err(CallError::Timeout { .. }) => "no answer in time",
        Err(CallError::TooManyCalls { .. }) => "too many calls",
        Err(CallError::Connect { .. }) => "cannot connect",
    };
    reason.to_owned()
}

fn send_settings(arguments: &super::arguments::SendArguments) -> Result<Settings, Error> {
    let mode = match arguments.mode {
        Mode::Sync => "sync",
        Mode::Async => "async",
        Mode::Oneway => "oneway",
    };
    Ok(Settings {
        mode,
        requests_in_flight: arguments.lanes_per_connection()?,
        messages_per_request: arguments.batch,
        size_min: Some(arguments.size.min),
        size_max: Some(arguments.size.max),
        rate: arguments.rate,
        ..shared_settings(&arguments.shared)
    })
}

fn consume_settings(arguments: &super::arguments::ConsumeArguments) -> Settings {
    Settings {
        mode: "pull",
        messages_per_request: arguments.batch.unsigned_abs(),
        group: Some(arguments.group.clone()),
        ..shared_settings(&arguments.shared)
    }
}

fn shared_settings(shared: &Shared) -> Settings {
    Settings {
        namesrv: shared.namesrv.clone(),
        topic: shared.topic.clone(),
        connections: shared.connections,
        warmup_s: shared.warmup.as_secs_f64(),
        duration_s: shared.duration.as_secs_f64(),
        ..Settings::default()
    }
}

/// The first of them: ten thousand topics have forty thousand.
fn names(targets: &[Target]) -> Vec<String> {
    let name =
        |target: &Target| format!("{} {} {} queue {}", target.broker, target.address, target.topic, target.queue);
    targets.iter().take(TARGETS_NAMED_MAX).map(name).collect()
}

fn date(clock: &dyn Clock) -> String {
    chrono::DateTime::from_timestamp_millis(clock.now_millis()).unwrap_or_default().to_rfc3339()
}

/// A reader that stops early is no error.
fn print(text: &str) {
    if let Err(error) = io::stdout().write_all(text.as_bytes()) {
        tracing::debug!(%error, "stdout");
    }
}

fn write(env: &Env, path: &Path, report: &Report) -> Result<(), Error> {
    let failed = |source| Error::Write { path: path.display().to_string(), source };
    let json = serde_json::to_vec_pretty(report).map_err(|error| failed(error.into()))?;
    let path = if path.is_absolute() { path.to_owned() } else { Path::new(".").join(path) };
    env.disk.replace(&path, &json, None).map_err(failed)
}
