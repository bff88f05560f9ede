//! The container: one process, one runtime, one pool of I/O threads, any number of brokers.
//!
//! ```text
//!                      container.toml
//!                            |
//!  902, 903, 25, 26 -> requests -> supervisor -> one life for each broker: ports, store, door, registration, restart
//!                            |          |
//!     registration: NameServers   members: DLedger groups
//!                                       status -> pages (/livez /readyz /brokers /metrics), table at start
//! ```
//!
//! Start, in this order, each step undone when a later one fails:
//!
//! 1. the runtime and the pool (`process`), sized once from the configuration;
//! 2. the NameServer inside and its port, so that brokers find it;
//! 3. the HTTP endpoint, so that recovery can be watched;
//! 4. the container's own ports;
//! 5. all brokers at once, each: ports, store, door, registration.
//!
//! Shutdown, in this order:
//!
//! 1. the container's own ports close, nothing is added any more;
//! 2. all brokers at once, each: unregistered, no more requests read, answers in flight, flushed, persisted, lock given back;
//! 3. the NameServer inside, its port first;
//! 4. the streams between members of DLedger groups, the registrar, the HTTP endpoint, every task that is left.
//!
//! Invariants: one way in for every role; the number of threads does not depend on the number of brokers; what happens to one
//! broker ends no other and not the process; a failed start or addition leaves nothing behind.
//! Must not know: what a broker does with a request, how messages are stored.

mod error;
mod escape;
mod figures;
mod lifecycle;
mod machine;
mod masters;
mod members;
mod pages;
mod ports;
mod process;
pub mod registration;
mod requests;
mod restart;
mod scrape;
mod seat;
mod shared;
mod status;
mod supervisor;
mod table;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::config::{Config, Outside};
use crate::dispatch::{Dispatch, Opened};
use crate::env::{Env, Tasks};
use crate::namesrv;
use crate::observe::http;
use crate::remoting::{Client, Limits, Service, Transport};

use masters::Masters;
use members::Members;
use registration::Registrar;
use requests::Requests;
use scrape::Scrape;
use shared::Shared;

pub use error::{Error, StartError};
pub use machine::{environment, outside};
pub use process::{Exit, run};
pub use status::{BrokerStatus, Serving, State};
pub use supervisor::Supervisor;

/// Owner of the container's own ports.
const OWNER: &str = "container";

/// Owner of the NameServer's port.
const NAMESRV_OWNER: &str = "namesrv";

/// How long the shutdown waits for brokers; those that serve need far less, one that recovers may need hours.
const STOP_PATIENCE: Duration = Duration::from_secs(10);

/// How long the shutdown waits for tasks that are left after everything was told to end.
const TASKS_PATIENCE: Duration = Duration::from_secs(2);

/// A running container.
pub struct Container {
    supervisor: Supervisor,
    registrar: Registrar,
    members: Members,
    namesrv: Option<NameServer>,
    http: Option<http::Server>,
    ports: [Opened; 2],
    tasks: Tasks,
}

/// The NameServer inside.
struct NameServer {
    handle: namesrv::Handle,
    port: Opened,
}

impl Container {
    /// Starts everything; the brokers go on starting when it returns, see [`Container::settled`].
    ///
    /// # Errors
    /// [`StartError`] when the container itself cannot run; nothing of it is left then. A broker that fails is no error.
    pub async fn start(config: Config, outside: Outside, env: &Env) -> Result<Container, StartError> {
        let env = Env { tasks: env.tasks.child(), ..env.clone() };
        let started = start(config, outside, &env).await;
        if started.is_err() {
            env.tasks.cancel();
            env.tasks.ended().await;
        }
        started
    }

    /// Waits until every broker has served or failed once.
    pub async fn settled(&self) {
        self.supervisor.settled().await;
    }

    /// The brokers.
    #[must_use]
    pub fn supervisor(&self) -> &Supervisor {
        &self.supervisor
    }

    /// Where HTTP is served, with the real port.
    #[must_use]
    pub fn http_address(&self) -> Option<SocketAddr> {
        self.http.as_ref().map(http::Server::address)
    }

    /// Stops everything in order.
    pub async fn stop(self) {
        let [main, fast] = self.ports;
        tokio::join!(main.close(), fast.close());
        self.supervisor.stop_all(STOP_PATIENCE).await;
        if let Some(NameServer { handle, port }) = self.namesrv {
            port.close().await;
            handle.stop().await;
        }
        self.members.stop().await;
        self.registrar.stop().await;
        self.tasks.cancel();
        if tokio::time::timeout(TASKS_PATIENCE, self.tasks.ended()).await.is_err() {
            tracing::warn!("tasks were left behind by the shutdown");
        }
    }
}

async fn start(config: Config, outside: Outside, env: &Env) -> Result<Container, StartError> {
    let transport = Transport::new(limits(&config));
    let dispatch = Dispatch::new(&transport, &env.tasks);
    let config = Arc::new(config);

    let namesrv = start_namesrv(&config, env, &transport, &dispatch).await?;
    let registrar = Registrar::start(&config.container.namesrv_addrs, env, &transport);
    let shared = Arc::new(Shared {
        env: env.clone(),
        dispatch: dispatch.clone(),
        registrar: registrar.clone(),
        masters: Masters::new(),
        members: Members::start(env),
        client: Client::new(&OWNER.into(), &transport, Arc::clone(&env.clock), &env.tasks, None),
        bind: config.container.bind,
        lives: env.tasks.child(),
    });
    let members = shared.members.clone();
    let supervisor = Supervisor::new(shared, Arc::clone(&config));

    let scrape = Scrape::new(supervisor.clone(), registrar.clone(), (dispatch.clone(), members.clone()), env, &config);
    let pages = pages::Pages::new(supervisor.clone(), registrar.clone(), env, scrape);
    let http = match &config.http {
        Some(options) => Some(
            http::Server::start(options.listen, Arc::new(pages), &env.tasks)
                .map_err(|source| StartError::Http { address: options.listen, source })?,
        ),
        None => None,
    };

    let requests = Requests::new(supervisor.clone(), registrar.clone(), Arc::clone(&config), Arc::new(outside), env);
    let own = config.container.ports;
    let open = |port| {
        let service: Arc<dyn Service> = Arc::new(requests.clone());
        dispatch.open(&OWNER.into(), SocketAddr::new(config.container.bind, port), None, service)
    };
    let ports = [open(own.main)?, open(own.fast)?];

    supervisor.start_all();
    Ok(Container { supervisor, registrar, members, namesrv, http, ports, tasks: env.tasks.clone() })
}

async fn start_namesrv(
    config: &Config,
    env: &Env,
    transport: &Arc<Transport>,
    dispatch: &Dispatch,
) -> Result<Option<NameServer>, StartError> {
    let Some(options) = &config.namesrv else { return Ok(None) };
    let handle = namesrv::start(options.into(), env, transport).await?;
    let address = SocketAddr::new(options.bind, options.port);
    let service: Arc<dyn Service> = Arc::new(handle.clone());
    let port = dispatch.open(&NAMESRV_OWNER.into(), address, None, service)?;
    Ok(Some(NameServer { handle, port }))
}

/// `[container.limits]` as the sockets want them; what has no key keeps its default.
fn limits(config: &Config) -> Limits {
    let container = &config.container;
    Limits {
        connections: container.limits.connections as u64,
        request_bytes: container.limits.inbound_bytes,
        partial_bytes: container.limits.partial_bytes,
        outbound_bytes: container.limits.outbound_bytes,
        outbox_frames: container.limits.outbox_frames,
        idle: container.idle_timeout,
        ..Limits::default()
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    /// The limits of the sockets with these lines in `[container.limits]`: connections, then bytes of requests, partial
    /// frames and answers, then frames of one outbox; or what is wrong.
    fn check(lines: &str, expected: Result<(u64, usize, usize, usize, usize), &str>) {
        let text = format!("[container]\n[container.limits]\n{lines}\n[[broker]]\nbrokerName = \"b\"\n");
        let loaded = Config::load(Path::new("container.toml"), text.as_bytes(), &outside());
        let got = loaded.map(|(config, _warnings)| {
            let transport = Transport::new(limits(&config));
            let limits = transport.limits();
            (
                limits.connections,
                limits.request_bytes,
                limits.partial_bytes,
                limits.outbound_bytes,
                limits.outbox_frames,
            )
        });
        assert_eq!(got.map_err(|errors| errors.to_string()), expected.map_err(str::to_owned), "{lines}");
    }

    #[test]
    fn sockets_have_the_limits_of_the_configuration() {
        let mib = 1 << 20;
        check("", Ok((20_000, 512 * mib, 128 * mib, 256 * mib, 1_024)));
        let bytes = "inbound_bytes = \"17MiB\"\npartial_bytes = \"32MiB\"\noutbound_bytes = \"18MiB\"\n";
        let lines = format!("connections = 7\noutbox_frames = 9\n{bytes}");
        check(&lines, Ok((7, 17 * mib, 32 * mib, 18 * mib, 9)));
        let short = "container.toml:3: limits.partial_bytes = \"31MiB\": expected bytes, 32MiB to 1TiB";
        check("partial_bytes = \"31MiB\"", Err(short));
    }
}
