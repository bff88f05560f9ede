//! The process around a container: threads, signals, exit codes.

use std::io::{self, Write};
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::config::{Config, Outside};
use crate::env::Env;

use super::{Container, StartError, State, machine, table};

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// It was asked to end, and everything is on disk.
    Clean,
    /// It could not start.
    NotStarted,
    /// It was asked twice and did not wait for anything.
    Forced,
}

/// Runs a container until SIGTERM or SIGINT.
///
/// The table of brokers goes to stdout when all of them have served or failed once.
#[must_use]
pub fn run(config: Config, outside: Outside) -> Exit {
    machine::raise_open_files(config.container.limits.connections);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(config.container.worker_threads)
        .thread_name("worker")
        .enable_all()
        .build();
    let (runtime, env) = match (runtime, machine::environment(&config.container)) {
        (Ok(runtime), Ok(env)) => (runtime, env),
        (Err(error), _) | (_, Err(error)) => return not_started(&StartError::Threads(error)),
    };
    let exit = runtime.block_on(serve(config, outside, &env));
    // A recovery that was left behind may still hold a thread of the pool; nobody waits for it.
    runtime.shutdown_background();
    exit
}

async fn serve(config: Config, outside: Outside, env: &Env) -> Exit {
    let mut signals = match Signals::listen() {
        Ok(signals) => signals,
        Err(error) => return not_started(&StartError::Threads(error)),
    };
    let shown = config.clone();
    let began = env.clock.monotonic();
    let container = match Container::start(config, outside, env).await {
        Ok(container) => container,
        Err(error) => return not_started(&error),
    };
    let asked = tokio::select! {
        () = container.settled() => None,
        name = signals.next() => Some(name),
    };
    let name = match asked {
        Some(name) => name,
        None => {
            let now = env.clock.monotonic();
            let brokers = container.supervisor().brokers();
            print(&table::text(&shown, &brokers, container.http_address(), now, now.saturating_sub(began)));
            if !brokers.is_empty() && brokers.iter().all(|broker| matches!(broker.state, State::Failed { .. })) {
                container.stop().await;
                return not_started(&StartError::NoBroker(brokers.len()));
            }
            signals.next().await
        }
    };
    tracing::info!(signal = name, "stopping; a second signal ends the process at once");
    let began = env.clock.monotonic();
    tokio::select! {
        () = container.stop() => {
            let took = env.clock.monotonic().saturating_sub(began);
            tracing::info!(took_ms = took.as_millis(), "stopped");
            Exit::Clean
        }
        name = signals.again(env) => {
            tracing::warn!(signal = name, "ended without waiting; what was not synced is recovered at the next start");
            Exit::Forced
        }
    }
}

fn not_started(error: &StartError) -> Exit {
    // Whatever is logged, this is to be seen.
    eprintln!("error: {error}");
    Exit::NotStarted
}

/// A stdout that nobody reads is no reason to end.
fn print(text: &str) {
    let wrote = io::stdout().write_all(text.as_bytes()).and_then(|()| io::stdout().flush());
    if let Err(error) = wrote {
        tracing::debug!(%error, "the table was not printed");
    }
}

struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

/// One request to stop may arrive as several signals: `timeout`, a terminal and `cargo run` signal a process and its group.
const SAME_REQUEST: Duration = Duration::from_millis(500);

impl Signals {
    /// A signal that is a second request.
    async fn again(&mut self, env: &Env) -> &'static str {
        let first = env.clock.monotonic();
        loop {
            let name = self.next().await;
            if env.clock.monotonic().saturating_sub(first) >= SAME_REQUEST {
                return name;
            }
        }
    }

    fn listen() -> io::Result<Signals> {
        Ok(Signals { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}
