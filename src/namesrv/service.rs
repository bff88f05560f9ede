//! The shell: one task that owns the core, fed by the connections of the port.

use std::future::Future;
use std::io;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Interval, MissedTickBehavior};

use super::core::{Answer, Core, Effects};
use super::push::{self, Pusher};
use super::request::{self, BrokerRequest};
use super::settings::Settings;
use super::table::{KvConfig, Limits, Rules};
use super::{Error, StartError};
use crate::config;
use crate::env::mailbox::{self, Receiver, Sender, TrySendError};
use crate::env::{Disk, Env, Share, TaskKind, Tasks};
use crate::protocol::codes::response;
use crate::protocol::command::Command;
use crate::protocol::json;
use crate::remoting::{Connection, ConnectionId, ReplySlot, Request, Service, Transport};

/// Requests that may wait for the owner task; further ones are answered with SYSTEM_BUSY.
const WAITING_MAX: usize = 16_384;
/// Requests handled before the other events get their turn.
const BATCH_MAX: usize = 256;
/// Writes of the key-value configuration that may wait in the pool. There is one at a time.
const WRITES_MAX: usize = 1;

/// How a NameServer is started.
#[derive(Clone, Debug)]
pub struct Options {
    /// `kvConfigPath`: the file of the key-value configuration; made when there is something to keep.
    pub kv_config: PathBuf,
    /// Rules and what tools see of the configuration.
    pub settings: Settings,
    /// How much may be registered.
    pub limits: Limits,
}

impl From<&config::Namesrv> for Options {
    fn from(config: &config::Namesrv) -> Options {
        let shown = config.effective();
        let black_list = shown.get("configBlackList").map(|list| list.split(';').map(str::to_owned).collect());
        Options {
            kv_config: config.kv_config.clone(),
            settings: Settings {
                rules: Rules {
                    support_acting_master: config.support_acting_master,
                    notify_min_broker_id_changed: config.notify_min_broker_id_changed,
                    delete_topic_with_registration: config.delete_topic_with_registration,
                    order_message: config.order_message,
                    return_order_topics: config.return_order_topics,
                },
                scan_interval: config.scan_interval,
                black_list: black_list.unwrap_or_default(),
                shown,
            },
            limits: Limits::default(),
        }
    }
}

/// The door to a running NameServer; serves any number of ports.
#[derive(Clone)]
pub struct Handle {
    mailbox: Sender<Arrived>,
    closed: Arc<Closed>,
    known: Arc<Known>,
    tasks: Tasks,
}

/// What a NameServer knows, in numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Numbers {
    /// Registered brokers.
    pub brokers: usize,
    /// Known topics.
    pub topics: usize,
}

#[derive(Debug, Default)]
struct Known {
    brokers: AtomicUsize,
    topics: AtomicUsize,
}

/// Connections that ended. Not in the mailbox, which may be full: a close that is lost would keep dead brokers for 120 s.
#[derive(Debug, Default)]
struct Closed {
    connections: Mutex<Vec<ConnectionId>>,
    added: Notify,
}

struct Arrived {
    request: request::Request,
    reply: ReplySlot,
    connection: Connection,
}

/// Reads the key-value configuration and starts the owner task. The port is bound by whoever starts the process.
///
/// # Errors
/// The key-value configuration cannot be read.
pub async fn start(options: Options, env: &Env, transport: &Arc<Transport>) -> Result<Handle, StartError> {
    let share = env.pool.share(WRITES_MAX);
    let kv = read_kv(&share, &env.disk, &options.kv_config).await?;
    let tasks = env.tasks.child();
    let (mailbox, arrivals) = mailbox::bounded(WAITING_MAX);
    let closed = Arc::new(Closed::default());
    let known = Arc::new(Known::default());
    let owner: Arc<str> = "namesrv".into();
    let owner_task = Owner {
        scan: scan_interval(options.settings.scan_interval),
        core: Core::new(options.settings, kv, options.limits),
        env: env.clone(),
        share,
        kv_path: options.kv_config.into(),
        arrivals,
        closed: Arc::clone(&closed),
        known: Arc::clone(&known),
        pusher: push::start(env, transport, &tasks, &owner),
        unwritten: Vec::new(),
        writing: None,
    };
    tasks.spawn(TaskKind::NameServer, &owner, owner_task.run(tasks.clone()));
    Ok(Handle { mailbox, closed, known, tasks })
}

impl Handle {
    /// Finishes what was accepted and ends; the listeners are stopped before.
    pub async fn stop(&self) {
        self.tasks.cancel();
        self.tasks.ended().await;
    }

    /// Whether it still answers; false after [`Handle::stop`] or a panic.
    #[must_use]
    pub fn is_running(&self) -> bool {
        !self.mailbox.is_closed()
    }

    /// Brokers and topics known now.
    #[must_use]
    pub fn numbers(&self) -> Numbers {
        Numbers {
            brokers: self.known.brokers.load(Ordering::Relaxed),
            topics: self.known.topics.load(Ordering::Relaxed),
        }
    }
}

impl Service for Handle {
    fn request(&self, Request { command, reply, connection }: Request) {
        let request = match request::parse(&command) {
            Ok(request) => request,
            Err(error) => {
                tracing::debug!(remote = %connection.remote(), code = command.code, %error, "request refused");
                return reply.answer(refusal(&error));
            }
        };
        match self.mailbox.try_send(Arrived { request, reply, connection }) {
            Ok(()) => {}
            Err(TrySendError::Full(arrived)) => arrived.reply.answer(refusal(&Error::Busy { limit: WAITING_MAX })),
            Err(TrySendError::Closed(arrived)) => arrived.reply.answer(refusal(&Error::Stopped)),
        }
    }

    fn closed(&self, connection: &Connection) {
        self.closed.connections.lock().unwrap_or_else(PoisonError::into_inner).push(connection.id());
        self.closed.added.notify_one();
    }
}

type Write = Pin<Box<dyn Future<Output = Result<(), String>> + Send>>;

struct Owner {
    core: Core,
    env: Env,
    share: Share,
    kv_path: Arc<Path>,
    arrivals: Receiver<Arrived>,
    closed: Arc<Closed>,
    known: Arc<Known>,
    pusher: Pusher,
    scan: Interval,
    /// Answered when the write that begins next has ended.
    unwritten: Vec<ReplySlot>,
    /// The write under way and who waits for it.
    writing: Option<(Write, Vec<ReplySlot>)>,
}

impl Owner {
    async fn run(mut self, tasks: Tasks) {
        let cancelled = tasks.cancelled();
        tokio::pin!(cancelled);
        let closed = Arc::clone(&self.closed);
        loop {
            tokio::select! {
                biased;
                () = &mut cancelled => break,
                outcome = written(&mut self.writing) => self.end_write(&outcome),
                () = closed.added.notified() => self.handle_closed(),
                _ = self.scan.tick() => self.scan(),
                arrived = self.arrivals.recv() => match arrived {
                    Some(arrived) => self.handle_batch(arrived),
                    None => break,
                },
            }
            let table = self.core.table();
            self.known.brokers.store(table.brokers(), Ordering::Relaxed);
            self.known.topics.store(table.topic_count(), Ordering::Relaxed);
        }
        while self.writing.is_some() {
            let outcome = written(&mut self.writing).await;
            self.end_write(&outcome);
        }
    }

    fn handle_batch(&mut self, first: Arrived) {
        let mut next = Some(first);
        for _ in 0..BATCH_MAX {
            let Some(arrived) = next else { return };
            self.handle(arrived);
            next = self.arrivals.try_recv().ok();
        }
        if let Some(arrived) = next {
            self.handle(arrived);
        }
    }

    fn handle(&mut self, Arrived { request, reply, connection }: Arrived) {
        let registers = matches!(request, request::Request::Broker(BrokerRequest::Register(_)));
        let mut effects = Effects::default();
        let outcome = self.core.handle(request, connection.id(), self.env.clock.monotonic(), &mut effects);
        // Closed while the registration waited here: its close may have been handled already.
        if registers && connection.is_closed() {
            self.core.closed(connection.id(), &mut effects);
        }
        if let Err(error) = &outcome
            && registers
        {
            tracing::warn!(remote = %connection.remote(), %error, "registration refused");
        }
        if effects.persist {
            self.unwritten.push(reply);
        } else {
            reply.answer(match outcome {
                Ok(answer) => success(answer),
                Err(error) => refusal(&error),
            });
        }
        self.carry_out(effects);
    }

    fn handle_closed(&mut self) {
        let closed = std::mem::take(&mut *self.closed.connections.lock().unwrap_or_else(PoisonError::into_inner));
        let mut effects = Effects::default();
        for connection in closed {
            self.core.closed(connection, &mut effects);
        }
        self.carry_out(effects);
    }

    fn scan(&mut self) {
        let mut effects = Effects::default();
        let now = self.env.clock.monotonic();
        self.core.scan(now, &mut effects);
        self.carry_out(effects);
        self.scan.reset_after(self.core.scan_pause(now));
    }

    fn carry_out(&mut self, effects: Effects) {
        for note in effects.notes {
            tracing::info!("{note}");
        }
        for push in effects.pushes {
            self.pusher.push(push);
        }
        if effects.settings_changed {
            self.scan = scan_interval(self.core.settings().scan_interval);
        }
        if effects.persist && self.writing.is_none() {
            self.begin_write();
        }
    }

    /// Writes the newest state once for all who wait.
    fn begin_write(&mut self) {
        let content = self.core.kv_file();
        let (disk, path, share) = (Arc::clone(&self.env.disk), Arc::clone(&self.kv_path), self.share.clone());
        let write = async move {
            match share.run(move || replace_kv(&*disk, &path, &content)).await {
                Ok(Ok(())) => Ok(()),
                Ok(Err(error)) => Err(error.to_string()),
                Err(full) => Err(full.to_string()),
            }
        };
        self.writing = Some((Box::pin(write), std::mem::take(&mut self.unwritten)));
    }

    fn end_write(&mut self, outcome: &Result<(), String>) {
        let Some((_, waiting)) = self.writing.take() else { return };
        let error = outcome
            .as_ref()
            .err()
            .map(|reason| Error::NotWritten { path: self.kv_path.display().to_string(), reason: reason.clone() });
        if let Some(error) = &error {
            tracing::error!(%error, "key-value configuration");
        }
        for reply in waiting {
            reply.answer(error.as_ref().map_or_else(|| success(Answer::default()), refusal));
        }
        if !self.unwritten.is_empty() {
            self.begin_write();
        }
    }
}

/// Ends when the write under way ends; never if there is none.
async fn written(writing: &mut Option<(Write, Vec<ReplySlot>)>) -> Result<(), String> {
    match writing {
        Some((write, _)) => write.await,
        None => std::future::pending().await,
    }
}

fn scan_interval(period: Duration) -> Interval {
    let mut interval = tokio::time::interval(period);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    interval
}

async fn read_kv(share: &Share, disk: &Arc<dyn Disk>, path: &Path) -> Result<KvConfig, StartError> {
    let (disk, file) = (Arc::clone(disk), path.to_owned());
    let unreadable = |reason: String| StartError::KvConfig { path: path.to_owned(), reason };
    let read = share.run(move || disk.read(&file)).await.map_err(|full| unreadable(full.to_string()))?;
    match read {
        Ok(content) => json::from_java(&content).map_err(|error| unreadable(error.to_string())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(KvConfig::default()),
        Err(error) => Err(unreadable(error.to_string())),
    }
}

/// The previous content stays as `.bak`, as Java's `MixAll.string2File` leaves it.
fn replace_kv(disk: &dyn Disk, path: &Path, content: &[u8]) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        disk.create_dir(folder)?;
    }
    let mut previous = path.as_os_str().to_owned();
    previous.push(".bak");
    disk.replace(path, content, Some(Path::new(&previous)))
}

fn success(answer: Answer) -> Command {
    Command { code: response::SUCCESS, ext: answer.ext, body: answer.body.into(), ..Command::default() }
}

fn refusal(error: &Error) -> Command {
    Command { code: error.code(), remark: Some(error.to_string()), ..Command::default() }
}
