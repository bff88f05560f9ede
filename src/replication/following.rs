//! A follower's side of its link: finds the leader, hands what it sends to the broker, reports what the broker has.

use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::sync::watch;

use super::Incoming;
use super::epochs::Epochs;
use super::follower::{Follower, Step};
use super::link::local::Door;
use super::link::tcp::{self, Answered};
use super::link::{FrameSource, LinkError, ReportSink};
use super::sender::{Closed, LinkOptions, LogState};
use crate::env::Env;
use crate::env::mailbox;
use crate::protocol::ha::{Dialect, Reign, Welcome};
use crate::protocol::ids::{BrokerId, Millis};
use crate::protocol::raft::Term;

/// How long a leader may take to accept a connection and to answer a greeting. A Java master that is idle answers with its first
/// heartbeat, after 5 s by default.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// Where the leader is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Leader {
    /// `host:port` of its HA port.
    pub address: Option<String>,
    /// When it is a broker of this process; goes before the address.
    pub door: Option<Door>,
    /// The term in which it leads, within a DLedger group.
    pub term: Option<Term>,
}

impl Leader {
    fn name(&self) -> &str {
        match (&self.door, &self.address) {
            (Some(_), _) => "a broker of this process",
            (None, Some(address)) => address,
            (None, None) => "nobody",
        }
    }

    fn is_known(&self) -> bool {
        self.door.is_some() || self.address.is_some()
    }
}

/// What a follower's link needs. `T` is what its broker knows of the leader.
pub struct Following<T> {
    /// Whose log it is, for logs.
    pub owner: Arc<str>,
    /// Clock and tasks.
    pub env: Env,
    /// The end of the log, as the broker says.
    pub log: watch::Receiver<LogState>,
    /// The broker.
    pub broker: mailbox::Sender<Incoming>,
    /// What is known of the leader.
    pub known: watch::Receiver<T>,
    /// Where that says it is.
    pub locate: fn(&T) -> Leader,
    /// How links behave.
    pub options: LinkOptions,
    /// Who follows.
    pub id: BrokerId,
}

/// Why a link ended.
#[derive(Debug, thiserror::Error)]
enum Ended {
    #[error(transparent)]
    Closed(#[from] Closed),
    #[error(transparent)]
    Link(#[from] LinkError),
    #[error("nobody leads")]
    Nobody,
    #[error("no connection within 3 s")]
    Timeout,
    #[error("another broker leads")]
    Moved,
    #[error("the broker has ended")]
    Broker,
}

/// A link that stands.
struct Link {
    frames: FrameSource,
    reports: ReportSink,
}

impl<T> Following<T> {
    /// Follows until the tasks are told to end, or the broker does.
    pub async fn run(mut self) {
        let tasks = self.env.tasks.clone();
        tokio::select! {
            () = tasks.cancelled() => {}
            _broker = self.keep_following() => {}
        }
    }

    async fn keep_following(&mut self) -> Result<(), Ended> {
        let mut follower = Follower::new(self.options, self.id, self.now());
        loop {
            let state = self.log.borrow_and_update().clone();
            match follower.step(self.now(), &state) {
                Ok(Step::Connect) => {}
                Ok(Step::Wait { until }) => {
                    self.rest(&mut follower, until).await?;
                    continue;
                }
                Ok(Step::Report(_)) | Err(_) => unreachable!("without a link nothing is sent and nothing is closed"),
            }
            let leader = (self.locate)(&self.known.borrow_and_update());
            // What is known and what the log says change one after the other.
            if !leader.is_known() || leader.term != state.term {
                tokio::select! {
                    changed = self.known.changed() => changed.map_err(|_| Ended::Broker)?,
                    changed = self.log.changed(), if leader.is_known() => changed.map_err(|_| Ended::Broker)?,
                }
                continue;
            }
            follower.turn_to(leader.term);
            let reason = match self.follow(&mut follower, &leader).await {
                Ok(never) => match never {},
                Err(reason) => reason,
            };
            follower.lost(self.now());
            if let Ended::Broker = reason {
                return Err(reason);
            }
            self.tell(Incoming::Parted { leader: leader.name().to_owned(), reason: reason.to_string() }).await?;
        }
    }

    /// Waits for the next attempt.
    async fn rest(&mut self, follower: &mut Follower, until: Millis) -> Result<(), Ended> {
        let pause = self.pause(until);
        tokio::select! {
            changed = self.known.changed() => {
                changed.map_err(|_| Ended::Broker)?;
                follower.leader_changed(self.now());
            }
            changed = self.log.changed() => changed.map_err(|_| Ended::Broker)?,
            () = tokio::time::sleep(pause) => {}
        }
        Ok(())
    }

    async fn follow(&mut self, follower: &mut Follower, leader: &Leader) -> Result<std::convert::Infallible, Ended> {
        let (link, dialect, reign) = self.connect(follower, leader).await?;
        self.tell(Incoming::Following { leader: leader.name().to_owned(), dialect, reign }).await?;
        self.receive(follower, leader, link).await
    }

    /// Connects, greets and agrees on where to begin.
    async fn connect(
        &mut self,
        follower: &mut Follower,
        leader: &Leader,
    ) -> Result<(Link, Dialect, Option<Reign>), Ended> {
        if let Some(door) = &leader.door {
            let state = self.log.borrow_and_update().clone();
            let hello = follower.connected(self.now(), &state);
            let answer = door.call(hello).await?;
            self.agree(follower, &answer.welcome).await?;
            let link = Link { frames: FrameSource::Local(answer.frames), reports: ReportSink::Local(answer.reports) };
            return Ok((link, Dialect::Ours, answer.welcome.reign));
        }
        let address = leader.address.as_deref().ok_or(Ended::Nobody)?;
        let connecting = tokio::time::timeout(CONNECT_TIMEOUT, TcpStream::connect(address));
        let mut stream = connecting.await.map_err(|_| Ended::Timeout)?.map_err(LinkError::from)?;
        // Without it reports wait for each other; a socket that refuses is about to fail.
        let _nodelay = stream.set_nodelay(true);
        let state = self.log.borrow_and_update().clone();
        let hello = follower.connected(self.now(), &state);
        let silence = Duration::from_millis(self.options.housekeeping.unsigned_abs());
        let greeted = tokio::time::timeout(silence, tcp::greet(&mut stream, hello)).await;
        let answered = greeted.map_err(|_| Closed::Silent { millis: self.options.housekeeping })??;
        let (dialect, buffer, reign) = match answered {
            Answered::Ours(welcome) => {
                self.agree(follower, &welcome).await?;
                (Dialect::Ours, bytes::BytesMut::new(), welcome.reign)
            }
            Answered::Java(_) if leader.term.is_some() => {
                return Err(Closed::Term { link: leader.term, now: None }.into());
            }
            Answered::Java(buffer) => {
                follower.answered_in_java(self.now(), &state);
                self.adopt(Epochs::default(), None).await?;
                (Dialect::Java, buffer, None)
            }
        };
        let (reader, writer) = stream.into_split();
        let frames = FrameSource::Tcp(tcp::FrameSource::new(reader, dialect, buffer));
        let reports = ReportSink::Tcp(tcp::ReportSink::new(writer, dialect));
        Ok((Link { frames, reports }, dialect, reign))
    }

    /// Cuts the log back to what the leader has too.
    async fn agree(&mut self, follower: &mut Follower, welcome: &Welcome) -> Result<(), Ended> {
        let state = self.log.borrow_and_update().clone();
        let agreed = follower.welcomed(self.now(), welcome, &state)?;
        let epochs = Epochs::new(welcome.epochs.iter().copied());
        let term = welcome.reign.map(|reign| reign.term);
        let Some(to) = agreed.cut else { return self.adopt(epochs, term).await };
        tracing::warn!(broker = %self.owner, from = %state.end, %to, "the leader has other bytes: the log is cut back");
        self.tell(Incoming::Cut { to, term }).await?;
        let is_over = |log: &LogState| log.end <= to || log.refused != state.refused || log.term != term;
        let log = self.log.wait_for(is_over).await.map_err(|_| Ended::Broker)?.clone();
        check_term(term, &log)?;
        if log.end != to {
            return Err(Closed::Refused.into());
        }
        self.adopt(epochs, term).await
    }

    /// The leader's epochs are on disk before its first byte is asked for.
    async fn adopt(&mut self, epochs: Epochs, term: Option<Term>) -> Result<(), Ended> {
        self.tell(Incoming::Adopt { epochs: epochs.clone(), term }).await?;
        let is_over = |log: &LogState| log.epochs_saved && *log.epochs == epochs || log.term != term;
        let log = self.log.wait_for(is_over).await.map_err(|_| Ended::Broker)?.clone();
        Ok(check_term(term, &log)?)
    }

    async fn receive(
        &mut self,
        follower: &mut Follower,
        leader: &Leader,
        mut link: Link,
    ) -> Result<std::convert::Infallible, Ended> {
        loop {
            let state = self.log.borrow_and_update().clone();
            let until = match follower.step(self.now(), &state)? {
                Step::Report(report) => {
                    link.reports.send(report).await?;
                    continue;
                }
                Step::Wait { until } => until,
                Step::Connect => unreachable!("the link stands"),
            };
            let pause = self.pause(until);
            tokio::select! {
                biased;
                changed = self.log.changed() => changed.map_err(|_| Ended::Broker)?,
                frame = link.frames.next() => {
                    let frame = frame?;
                    follower.frame(self.now(), &frame.head)?;
                    let (epoch, at) = (frame.head.epoch, frame.head.at);
                    let news = match frame.body.is_empty() {
                        true => Incoming::Heard,
                        false => Incoming::Received { epoch, at, bytes: frame.body, term: leader.term },
                    };
                    self.tell(news).await?;
                }
                changed = self.known.changed() => {
                    changed.map_err(|_| Ended::Broker)?;
                    if (self.locate)(&self.known.borrow_and_update()) != *leader {
                        return Err(Ended::Moved);
                    }
                }
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    async fn tell(&self, incoming: Incoming) -> Result<(), Ended> {
        self.broker.send(incoming).await.map_err(|_| Ended::Broker)
    }

    fn now(&self) -> Millis {
        Millis(self.env.clock.now_millis())
    }

    fn pause(&self, until: Millis) -> Duration {
        Duration::from_millis(until.since(self.now()).max(1).unsigned_abs())
    }
}

/// Whatever was waited for, the link has ended when its term has.
fn check_term(link: Option<Term>, log: &LogState) -> Result<(), Closed> {
    if log.term == link { Ok(()) } else { Err(Closed::Term { link, now: log.term }) }
}
