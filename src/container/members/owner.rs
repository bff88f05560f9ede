//! The one task that decides: every letter, every roster and every end passes through it, so nothing overtakes.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::sync::watch;

use super::plan::{Action, ContainerId, Failure, Plan, StreamId, Way};
use super::stream::{self, Stream};
use super::{Counters, Member, Seat};
use crate::config::Peer;
use crate::env::mailbox::{self, Receiver, Sender};
use crate::env::{Env, TaskKind};
use crate::protocol::raft::{Frame, Greeting, Letter, Roster};

/// Letters that may wait for one stream; those that find no place are dropped.
const QUEUE_MAX: usize = 1_024;

/// Letters of brokers that are taken at a time.
const BATCH_MAX: usize = 256;

/// What the owner hears.
pub(super) enum Event {
    Came { seat: Seat, peers: Vec<Peer>, member: Arc<dyn Member> },
    Changed { seat: Seat, peers: Vec<Peer> },
    Ended { seat: Seat },
    Accepted { container: ContainerId, stream: TcpStream, remote: SocketAddr },
    Dialed { address: String, container: ContainerId, stream: TcpStream, remote: SocketAddr },
    NotDialed { address: String, failure: Failure },
    Frame { stream: StreamId, frame: Frame },
    Closed { stream: StreamId },
}

pub(super) struct Owner {
    me: ContainerId,
    name: Arc<str>,
    plan: Plan,
    members: BTreeMap<Seat, Arc<dyn Member>>,
    streams: BTreeMap<StreamId, Sender<Letter>>,
    roster: watch::Sender<Arc<Roster>>,
    letters: Receiver<Letter>,
    arrivals: Receiver<Event>,
    events: Sender<Event>,
    counters: Arc<Counters>,
    env: Env,
}

impl Owner {
    pub(super) fn start(
        env: &Env,
        (letters, arrivals): (Receiver<Letter>, Receiver<Event>),
        events: Sender<Event>,
        counters: Arc<Counters>,
    ) {
        let me = ContainerId(u128::from(env.entropy.next_u64()) << 64 | u128::from(env.entropy.next_u64()));
        let owner = Owner {
            me,
            name: "members".into(),
            plan: Plan::new(me),
            members: BTreeMap::new(),
            streams: BTreeMap::new(),
            roster: watch::Sender::new(Arc::default()),
            letters,
            arrivals,
            events,
            counters,
            env: env.clone(),
        };
        let name = Arc::clone(&owner.name);
        drop(env.tasks.spawn(TaskKind::Members, &name, owner.run()));
    }

    async fn run(mut self) {
        let tasks = self.env.tasks.clone();
        let mut batch = Vec::new();
        loop {
            let due = self.plan.next_due().map(|due| due.saturating_sub(self.now()));
            tokio::select! {
                () = tasks.cancelled() => return,
                event = self.arrivals.recv() => match event {
                    Some(event) => self.handle(event),
                    None => return,
                },
                taken = self.letters.recv_many(&mut batch, BATCH_MAX) => {
                    if taken == 0 {
                        return;
                    }
                    for letter in batch.drain(..) {
                        self.post(letter);
                    }
                }
                () = sleep(due) => {}
            }
            let due = self.plan.due(self.now());
            self.carry_out(due);
            self.counters.streams.store(self.plan.streams() as u64, Ordering::Relaxed);
        }
    }

    fn handle(&mut self, event: Event) {
        let now = self.now();
        let mut actions = Vec::new();
        match event {
            Event::Came { seat, peers, member } => {
                self.members.insert(seat.clone(), member);
                self.plan.came(seat, peers, now);
                self.publish();
            }
            Event::Changed { seat, peers } => self.plan.changed(&seat, peers, now),
            Event::Ended { seat } => {
                // What it has said goes before the news of its end.
                while let Ok(letter) = self.letters.try_recv() {
                    self.post(letter);
                }
                self.members.remove(&seat);
                self.plan.ended(&seat, now, &mut actions);
                self.publish();
            }
            Event::Accepted { container, stream, remote } => {
                let opened = self.plan.opened(container, None, now, &mut actions);
                self.open(opened, (stream, remote), Some(Greeting { container: self.me.0 }));
            }
            Event::Dialed { address, container, stream, remote } => {
                let opened = self.plan.opened(container, Some(&address), now, &mut actions);
                self.open(opened, (stream, remote), None);
            }
            Event::NotDialed { address, failure } => self.plan.not_opened(&address, failure, now, &mut actions),
            Event::Frame { stream, frame: Frame::Roster(roster) } => self.plan.told(stream, roster, now, &mut actions),
            Event::Frame { stream, frame: Frame::Letters(letters) } => {
                for letter in letters {
                    self.take(stream, letter);
                }
            }
            Event::Closed { stream } => {
                self.streams.remove(&stream);
                self.plan.closed(stream, now);
            }
        }
        self.carry_out(actions);
    }

    /// A letter of a member of this process.
    fn post(&self, letter: Letter) {
        let Letter { group, from, to, message } = &letter;
        let seat = |member| Seat { group: Arc::clone(group), member };
        let (sender, addressee) = (seat(*from), seat(*to));
        let way = if self.members.contains_key(&sender) { self.plan.way(&addressee) } else { Way::None };
        let counter = match way {
            Way::Here if self.plan.knows(&addressee, *from) => {
                if let Some(member) = self.members.get(&addressee) {
                    member.deliver(*from, message.clone());
                }
                &self.counters.delivered
            }
            Way::Over(stream) => match self.streams.get(&stream).map(|queue| queue.try_send(letter)) {
                Some(Ok(())) => &self.counters.sent,
                _ => &self.counters.dropped,
            },
            Way::Here | Way::None => &self.counters.dropped,
        };
        Counters::add(counter, 1);
    }

    /// A letter from another container.
    fn take(&self, stream: StreamId, Letter { group, from, to, message }: Letter) {
        let (sender, addressee) = (Seat { group: Arc::clone(&group), member: from }, Seat { group, member: to });
        let believed = self.plan.speaks_for(stream, &sender) && self.plan.knows(&addressee, from);
        match self.members.get(&addressee).filter(|_| believed) {
            Some(member) => {
                member.deliver(from, message);
                Counters::add(&self.counters.delivered, 1);
            }
            None => Counters::add(&self.counters.dropped, 1),
        }
    }

    fn carry_out(&mut self, actions: Vec<Action>) {
        for action in actions {
            match action {
                Action::Dial { address } => self.dial(address),
                // Its task ends when its letters do.
                Action::Close { stream } => drop(self.streams.remove(&stream)),
                Action::Gone { to, member } => {
                    if let Some(addressee) = self.members.get(&to) {
                        tracing::debug!(group = %to.group, member = %to.member, gone = %member, "a member has ended");
                        addressee.gone(member);
                    }
                }
            }
        }
    }

    fn dial(&self, address: String) {
        let (events, tasks, me) = (self.events.clone(), self.env.tasks.clone(), self.me);
        let task = async move {
            let dialed = tokio::select! {
                () = tasks.cancelled() => return,
                dialed = stream::dial(&address, me) => dialed,
            };
            let event = match dialed {
                Ok((container, stream, remote)) => Event::Dialed { address, container, stream, remote },
                Err(failure) => Event::NotDialed { address, failure },
            };
            // An error means that the process is ending.
            let _stopped = events.send(event).await;
        };
        drop(self.env.tasks.spawn(TaskKind::Members, &self.name, task));
    }

    /// Keeps a connection that is wanted; another one is closed.
    fn open(&mut self, id: Option<StreamId>, (socket, remote): (TcpStream, SocketAddr), greeting: Option<Greeting>) {
        let Some(id) = id else { return };
        let (queue, letters) = mailbox::bounded(QUEUE_MAX);
        self.streams.insert(id, queue);
        let roster = self.roster.subscribe();
        let stream = Stream { id, remote, greeting, letters, roster, events: self.events.clone() };
        let tasks = self.env.tasks.clone();
        let task = async move {
            tokio::select! {
                () = tasks.cancelled() => {}
                () = stream.run(socket) => {}
            }
        };
        drop(self.env.tasks.spawn(TaskKind::Members, &self.name, task));
    }

    fn publish(&self) {
        self.roster.send_replace(Arc::new(self.plan.roster()));
    }

    fn now(&self) -> Duration {
        self.env.clock.monotonic()
    }
}

/// Never ends without a time to wait for.
async fn sleep(wait: Option<Duration>) {
    match wait {
        Some(wait) => tokio::time::sleep(wait).await,
        None => std::future::pending().await,
    }
}
