//! A NameServer on a free port, and a client for it.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use mqcontainer::env::{Env, IoPool, SystemClock, SystemDisk, SystemEntropy, Tasks};
use mqcontainer::namesrv::{self, Handle, Options, Settings};
use mqcontainer::protocol::body::register::RegisterBrokerBody;
use mqcontainer::protocol::body::topic::TopicConfig;
use mqcontainer::protocol::command::Command;
use mqcontainer::remoting::{self, Client, Limits, Transport};

/// Longest wait for anything that must happen; never a measure of speed.
pub const DEADLINE: Duration = Duration::from_secs(60);

pub struct World {
    pub env: Env,
    pub transport: Arc<Transport>,
    pub client: Client,
}

pub struct NameServer {
    pub address: SocketAddr,
    pub handle: Handle,
    listening: Tasks,
}

impl World {
    pub fn new() -> World {
        let env = Env {
            clock: Arc::new(SystemClock::new()),
            disk: Arc::new(SystemDisk),
            entropy: Arc::new(SystemEntropy),
            pool: IoPool::start(1, 16).unwrap(),
            tasks: Tasks::new(),
        };
        let transport = Transport::new(Limits::default());
        let client = Client::new(&"test".into(), &transport, Arc::clone(&env.clock), &env.tasks, None);
        World { env, transport, client }
    }

    /// Starts a NameServer with its files in `home`; port 0 takes a free one.
    pub async fn name_server(&self, home: &Path, port: u16, settings: Settings) -> NameServer {
        let options = Options { kv_config: home.join("kvConfig.json"), settings, limits: namesrv::Limits::default() };
        let handle = namesrv::start(options, &self.env, &self.transport).await.unwrap();
        let listener = remoting::bind(([127, 0, 0, 1], port).into(), remoting::BACKLOG).unwrap();
        let address = listener.local_addr();
        let listening = self.env.tasks.child();
        listener.serve(&"namesrv".into(), Arc::new(handle.clone()), &self.transport, &listening);
        NameServer { address, handle, listening }
    }

    /// Asks and waits.
    pub async fn call(&self, server: &NameServer, command: Command) -> Command {
        self.client.call(&server.address.to_string(), command, DEADLINE).await.unwrap()
    }

    /// Code, remark, fields and body of an answer as one text.
    pub async fn ask(&self, server: &NameServer, command: Command) -> String {
        show(&self.call(server, command).await)
    }
}

impl NameServer {
    pub async fn stop(self) {
        self.listening.cancel();
        self.listening.ended().await;
        self.handle.stop().await;
    }
}

/// A request without body.
pub fn request(code: i32, fields: &[(&str, &str)]) -> Command {
    let mut command = Command { code, ..Command::default() };
    for (name, value) in fields {
        command.ext.set(name, value);
    }
    command
}

pub fn show(answer: &Command) -> String {
    let mut fields: Vec<String> = answer.ext.iter().map(|(name, value)| format!("{name}={value}")).collect();
    fields.sort();
    let body = answer.body.to_bytes();
    let parts = [
        Some(answer.code.to_string()),
        answer.remark.as_deref().map(|remark| remark.lines().next().unwrap_or_default().to_owned()),
        (!fields.is_empty()).then(|| fields.join(" ")),
        (!body.is_empty()).then(|| String::from_utf8_lossy(&body).into_owned()),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join(" | ")
}

/// The body of a registration with these topics.
pub fn topics(version: i64, names: &[&str]) -> RegisterBrokerBody {
    let mut body = RegisterBrokerBody::default();
    let wrapper = &mut body.topic_config_serialize_wrapper;
    wrapper.data_version.counter = version;
    for name in names {
        let config = TopicConfig {
            topic_name: (*name).to_owned(),
            read_queue_nums: 4,
            write_queue_nums: 4,
            ..TopicConfig::default()
        };
        wrapper.topic_config_table.insert((*name).to_owned(), config);
    }
    body
}
