//! A leader's side of its links: accepts followers, sends them the log, tells the broker what they have.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicI64, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::net::TcpStream;
use tokio::sync::watch;

use super::Incoming;
use super::link::tcp::{self, Introduction, Listener};
use super::link::{Frame, Frames, LinkError, Reports, local};
use super::progress::{Replica, Session, SessionId};
use super::rate::Rate;
use super::sender::{Closed, LinkOptions, LogState, Sender, Step};
use crate::env::mailbox::{self, Receiver};
use crate::env::{Env, Share, TaskKind};
use crate::protocol::ha::{Dialect, Head, Hello, Reign, Report, Welcome};
use crate::protocol::ids::{Millis, PhysicalOffset};
use crate::protocol::raft::Term;
use crate::store::{Patience, ReadError, View};

/// Links of one leader. A group has a handful of members; more are strangers.
const SESSIONS_MAX: usize = 64;

/// What a link has carried, for reports.
#[derive(Debug, Default)]
pub struct Traffic {
    rate: Mutex<Rate>,
    next: AtomicI64,
}

impl Traffic {
    /// Bytes of the last whole second.
    #[must_use]
    pub fn per_second(&self, now: Millis) -> u64 {
        self.rate.lock().unwrap_or_else(PoisonError::into_inner).per_second(now)
    }

    fn carried(&self, now: Millis, bytes: usize) {
        self.rate.lock().unwrap_or_else(PoisonError::into_inner).add(now, bytes);
    }

    /// Where the next frame begins.
    #[must_use]
    pub fn next(&self) -> PhysicalOffset {
        PhysicalOffset(self.next.load(Ordering::Relaxed))
    }
}

/// What a leader's links need.
pub struct Leading {
    /// Whose log it is, for logs.
    pub owner: Arc<str>,
    /// Clock and tasks.
    pub env: Env,
    /// The log.
    pub view: View,
    /// For parts of it that are not in memory.
    pub share: Share,
    /// Its end, as the broker says.
    pub log: watch::Receiver<LogState>,
    /// The broker.
    pub broker: mailbox::Sender<Incoming>,
    /// How links behave.
    pub options: LinkOptions,
    /// Where the leader takes requests.
    pub requests: SocketAddr,
    sessions: AtomicU64,
    open: AtomicUsize,
}

/// Why a session ended.
#[derive(Debug, thiserror::Error)]
enum Ended {
    #[error(transparent)]
    Closed(#[from] Closed),
    #[error(transparent)]
    Link(#[from] LinkError),
    #[error("the log cannot be read: {0}")]
    Read(String),
    #[error("the broker has ended")]
    Broker,
}

impl Leading {
    /// The links of one broker.
    #[must_use]
    pub fn new(
        owner: Arc<str>,
        env: Env,
        (view, share): (View, Share),
        log: watch::Receiver<LogState>,
        broker: mailbox::Sender<Incoming>,
        (options, requests): (LinkOptions, SocketAddr),
    ) -> Arc<Leading> {
        let (sessions, open) = (AtomicU64::new(0), AtomicUsize::new(0));
        Arc::new(Leading { owner, env, view, share, log, broker, options, requests, sessions, open })
    }

    /// Serves followers until the tasks are told to end: those that connect to the port, and those of this process.
    pub async fn run(self: Arc<Self>, mut listener: Listener, mut calls: Receiver<local::Call>) {
        let cancelled = self.env.tasks.cancelled();
        tokio::pin!(cancelled);
        loop {
            tokio::select! {
                () = &mut cancelled => return,
                () = self.broker.closed() => return,
                Some(call) = calls.recv() => match self.log.borrow().leads {
                    true => self.take(None, |leading| leading.serve_local(call)),
                    false => drop(call),
                },
                accepted = listener.accept() => match accepted {
                    Ok((stream, remote)) if !self.log.borrow().leads => {
                        tracing::debug!(broker = %self.owner, %remote, "a follower comes too early");
                        drop(stream);
                    }
                    Ok((stream, remote)) => self.take(Some(remote), |leading| leading.serve_tcp(stream, remote)),
                    Err(error) => {
                        tracing::warn!(broker = %self.owner, %error, "cannot accept a slave");
                        tokio::time::sleep(Duration::from_millis(100)).await;
                    }
                },
            }
        }
    }

    fn take<F>(self: &Arc<Self>, remote: Option<SocketAddr>, serve: impl FnOnce(Arc<Leading>) -> F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        if self.open.fetch_add(1, Ordering::Relaxed) >= SESSIONS_MAX {
            self.open.fetch_sub(1, Ordering::Relaxed);
            tracing::warn!(broker = %self.owner, ?remote, limit = SESSIONS_MAX, "too many slaves, this one is refused");
            return;
        }
        let (leading, serving) = (Arc::clone(self), serve(Arc::clone(self)));
        drop(self.env.tasks.spawn(TaskKind::Replication, &self.owner, async move {
            tokio::select! {
                () = serving => {}
                () = leading.env.tasks.cancelled() => {}
            }
            leading.open.fetch_sub(1, Ordering::Relaxed);
        }));
    }

    async fn serve_tcp(self: Arc<Self>, stream: TcpStream, remote: SocketAddr) {
        // Without it small frames wait for the acknowledgement of the one before; a socket that refuses is about to fail.
        let _nodelay = stream.set_nodelay(true);
        let (mut reader, mut writer) = stream.into_split();
        let silence = Duration::from_millis(self.options.housekeeping.unsigned_abs());
        let introduction = match tokio::time::timeout(silence, tcp::introduction(&mut reader)).await {
            Ok(Ok(introduction)) => introduction,
            Ok(Err(error)) => return self.turn_away(remote, &error),
            Err(_) => return self.turn_away(remote, &Closed::Silent { millis: self.options.housekeeping }),
        };
        let (dialect, replica, term, first) = match introduction {
            Introduction::Java(report) => (Dialect::Java, Replica::Host(remote.ip()), None, Some(report)),
            Introduction::Ours(hello) => {
                let welcome = match self.welcome(hello) {
                    Ok(welcome) => welcome.encode(),
                    Err(closed) => return self.turn_away(remote, &closed),
                };
                if let Err(error) = tokio::io::AsyncWriteExt::write_all(&mut writer, &welcome).await {
                    return self.turn_away(remote, &error);
                }
                (Dialect::Ours, Replica::Broker(hello.broker), hello.term, None)
            }
        };
        let reports = Reports::Tcp(tcp::ReportSource::new(reader, dialect));
        let frames = Frames::Tcp(tcp::FrameSink::new(writer, dialect));
        self.session(dialect, (replica, Some(remote), term), first, reports, frames).await;
    }

    async fn serve_local(self: Arc<Self>, call: local::Call) {
        let term = call.hello.term;
        let welcome = match self.welcome(call.hello) {
            Ok(welcome) => welcome,
            Err(reason) => {
                tracing::info!(broker = %self.owner, replica = %call.hello.broker, %reason, "follower turned away");
                return;
            }
        };
        let ((frames, reports), (source, sink)) = local::link();
        let answer = local::Answer { welcome, frames: source, reports: sink };
        if call.answer.send(answer).is_err() {
            return;
        }
        let replica = Replica::Broker(call.hello.broker);
        self.session(Dialect::Ours, (replica, None, term), None, Reports::Local(reports), Frames::Local(frames)).await;
    }

    fn turn_away(&self, remote: SocketAddr, reason: &dyn std::fmt::Display) {
        tracing::warn!(broker = %self.owner, %remote, %reason, "not a slave, closed");
    }

    /// Members of a DLedger group follow in the term in which this one leads, and nobody else follows it: what it says of its log
    /// holds in that term.
    fn welcome(&self, hello: Hello) -> Result<Welcome, Closed> {
        tracing::debug!(broker = %self.owner, replica = %hello.broker, end = %hello.end, "slave greets");
        let log = self.log.borrow();
        if hello.term != log.term || !log.leads {
            return Err(Closed::Term { link: hello.term, now: log.term });
        }
        let reign = hello.term.map(|term| Reign { term, requests: self.requests });
        Ok(Welcome { end: log.end, epochs: log.epochs.list().to_vec(), reign })
    }

    async fn session(
        self: Arc<Self>,
        dialect: Dialect,
        (replica, remote, term): (Replica, Option<SocketAddr>, Option<Term>),
        first: Option<Report>,
        mut reports: Reports,
        mut frames: Frames,
    ) {
        let id = SessionId(self.sessions.fetch_add(1, Ordering::Relaxed));
        let mut running = Running {
            leading: &self,
            id,
            who: (replica, remote, term),
            sender: Sender::new(self.options, dialect, term, self.now()),
            traffic: Arc::default(),
            opened: false,
        };
        let reason = match running.run(first, &mut reports, &mut frames).await {
            Ok(never) => match never {},
            Err(reason) => reason,
        };
        let opened = running.opened;
        let nonsense = matches!(reason, Ended::Closed(_) | Ended::Link(LinkError::Frame(_)));
        match nonsense {
            true => tracing::warn!(broker = %self.owner, ?replica, ?remote, %reason, "slave turned away"),
            false => tracing::info!(broker = %self.owner, ?replica, ?remote, %reason, "slave gone"),
        }
        if opened {
            // The broker may have ended, which ends the session too.
            let _ended = self.broker.send(Incoming::Closed { session: id }).await;
        }
    }

    fn now(&self) -> Millis {
        Millis(self.env.clock.now_millis())
    }

    /// Bytes of the log; none when they are gone.
    async fn read(&self, at: PhysicalOffset, max: usize) -> Result<Option<Bytes>, Ended> {
        match self.view.log_bytes(at, max, Patience::CachedOnly) {
            Ok(bytes) => return Ok(bytes),
            Err(ReadError::WouldBlock) => {}
            Err(error) => return Err(Ended::Read(error.to_string())),
        }
        let view = self.view.clone();
        let read = self.share.run(move || view.log_bytes(at, max, Patience::MayBlock)).await;
        match read {
            Ok(Ok(bytes)) => Ok(bytes),
            Ok(Err(error)) => Err(Ended::Read(error.to_string())),
            Err(full) => Err(Ended::Read(full.to_string())),
        }
    }
}

/// One session while it runs.
struct Running<'a> {
    leading: &'a Arc<Leading>,
    id: SessionId,
    who: (Replica, Option<SocketAddr>, Option<Term>),
    sender: Sender,
    traffic: Arc<Traffic>,
    opened: bool,
}

impl Running<'_> {
    async fn run(
        &mut self,
        first: Option<Report>,
        reports: &mut Reports,
        frames: &mut Frames,
    ) -> Result<std::convert::Infallible, Ended> {
        let mut log = self.leading.log.clone();
        if let Some(report) = first {
            let state = log.borrow().clone();
            self.reported(report, &state).await?;
        }
        loop {
            let now = self.leading.now();
            let state = log.borrow_and_update().clone();
            let until = match self.sender.step(now, &state)? {
                Step::Wait { until } => until,
                step if frames.is_idle() => {
                    self.put(now, step, frames).await?;
                    now
                }
                // The frame before is not out yet; should it never be, the follower's silence ends the link.
                _ => self.sender.deadline(),
            };
            let pause = Duration::from_millis(until.since(now).max(1).unsigned_abs());
            tokio::select! {
                biased;
                report = reports.next() => self.reported(report?, &state).await?,
                sent = frames.flush(), if !frames.is_idle() => sent?,
                changed = log.changed(), if frames.is_idle() => changed.map_err(|_| Ended::Broker)?,
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    /// Takes the next frame out of the log.
    async fn put(&mut self, now: Millis, step: Step, frames: &mut Frames) -> Result<(), Ended> {
        let (epoch, at, body) = match step {
            Step::Send { epoch, at, max } => match self.leading.read(at, max).await? {
                Some(body) => (epoch, at, body),
                // Deleted by retention a moment ago: the next step says so.
                None => return Ok(()),
            },
            Step::Heartbeat { epoch, at } => (epoch, at, Bytes::new()),
            Step::Wait { .. } => return Ok(()),
        };
        self.sender.sent(now, body.len());
        self.traffic.carried(now, body.len());
        self.note_next();
        frames.put(Frame { head: Head { epoch, at, length: body.len() }, body });
        Ok(())
    }

    async fn reported(&mut self, report: Report, log: &LogState) -> Result<(), Ended> {
        let now = self.leading.now();
        let end = self.sender.reported(now, report, log)?;
        self.note_next();
        let news = if self.opened {
            Incoming::Reported { session: self.id, end }
        } else {
            self.opened = true;
            let (replica, remote, term) = self.who;
            tracing::info!(broker = %self.leading.owner, ?replica, ?remote, from = %self.traffic.next(), "slave follows");
            let session = Session { replica, remote, since: now, began: end, acknowledged: end, term };
            Incoming::Opened { session: self.id, about: session, traffic: Arc::clone(&self.traffic) }
        };
        self.leading.broker.send(news).await.map_err(|_| Ended::Broker)
    }

    fn note_next(&self) {
        self.traffic.next.store(self.sender.next().unwrap_or_default().0, Ordering::Relaxed);
    }
}
