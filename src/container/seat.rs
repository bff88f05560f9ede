//! A broker's seat in its DLedger group, as the container keeps it: from its start to its end others find it, and it finds them.
//!
//! Java registers a DLedger broker first when it knows its role, and again with each role (`DLedgerRoleChangeHandler`); so do we.

use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::broker::{Doors, Handle, Standing, Started};
use crate::config::{self, Peer};
use crate::protocol::raft::{MemberId, Message};
use crate::replication::link::tcp::Listener;

use super::members::{Hand, Member, Members, Seat, hand};

/// What the life of a member of a DLedger group holds besides that of any broker.
pub(super) struct Seated {
    members: Members,
    seat: Seat,
    /// Its port and where connections for the log go, until it has come.
    port: Option<(TcpListener, Hand)>,
    /// Where the broker learns who else is in this process.
    doors: watch::Sender<Doors>,
    peers: Vec<Peer>,
}

impl Seated {
    /// Takes the seat of this broker, if it is a member, and says where its connections for the log come from.
    pub(super) fn take(
        members: &Members,
        config: &config::Broker,
        port: TcpListener,
    ) -> (Listener, watch::Receiver<Doors>, Option<Seated>) {
        let Some(dledger) = &config.dledger else {
            return (Listener::Port(port), watch::channel(Doors::default()).1, None);
        };
        let seat = Seat { group: dledger.group.as_str().into(), member: MemberId(dledger.me) };
        let (hand, handed) = hand();
        let (doors, known_doors) = watch::channel(members.others(&seat));
        let members = members.clone();
        let seated = Seated { members, seat, port: Some((port, hand)), doors, peers: dledger.peers.clone() };
        (Listener::Handed(handed), known_doors, Some(seated))
    }

    /// The broker has started: others find it from now on.
    pub(super) async fn came(&mut self, owner: &Arc<str>, started: &Started) {
        let member = Arc::new(started.handle.clone());
        self.members.came(&self.seat, self.peers.clone(), member, &started.door).await;
        if let Some((port, hand)) = self.port.take() {
            self.members.listen(owner, port, &started.links, hand);
        }
    }

    /// Somebody has come to this process or left it.
    pub(super) fn find_others(&self) {
        let others = self.members.others(&self.seat);
        self.doors.send_if_modified(|doors| {
            let changed = *doors != others;
            *doors = others;
            changed
        });
    }

    /// Its peers may have changed.
    pub(super) async fn meet(&mut self, peers: &[Peer]) {
        if self.peers != peers {
            self.peers = peers.to_vec();
            self.members.changed(&self.seat, self.peers.clone()).await;
        }
    }

    /// The broker has ended; nothing of it runs any more.
    pub(super) async fn ended(&self) {
        self.members.ended(&self.seat).await;
    }
}

impl Member for Handle {
    fn deliver(&self, from: MemberId, message: Message) {
        Handle::deliver(self, from, message);
    }

    fn gone(&self, member: MemberId) {
        Handle::gone(self, member);
    }
}

/// What a member waits for before it is registered, and whenever its group has no leader.
pub(super) fn waits_for(standing: Option<&Standing>) -> Option<Arc<str>> {
    let standing = standing.filter(|standing| standing.leader.is_none())?;
    Some(
        format!(
            "its DLedger group has no leader, {} in term {}",
            super::status::role_word(standing.role),
            standing.term
        )
        .into(),
    )
}
