//! A member of a DLedger group (Java: `MessageStoreConfig`, `DLedgerConfig`).

use std::time::Duration;

use crate::config::values::Values;

/// A broker's part in its DLedger group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dledger {
    /// `dLegerGroup`, the brokerName unless given.
    pub group: String,
    /// `dLegerSelfId` without its letter: 0 for `n0`. Java's broker id of a follower is one more.
    pub me: u32,
    /// `dLegerPeers` by member: this broker, voters and learners.
    pub peers: Vec<Peer>,
    /// `preferredLeaderId`: members that are to lead when they can, the first of them before the others.
    pub preferred: Vec<u32>,
    /// `raft.learners`: members without a vote.
    pub learners: Vec<u32>,
    /// `raft.heartbeat_millis`.
    pub heartbeat: Duration,
    /// Shorter bound of `raft.election_timeout_millis`.
    pub election_min: Duration,
    /// Longer bound of `raft.election_timeout_millis`, at least the shorter one.
    pub election_max: Duration,
}

/// One member of a DLedger group.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Peer {
    /// Its id without the letter.
    pub member: u32,
    /// `host:port` where it speaks to the others and gives its log.
    pub address: String,
}

impl Peer {
    /// `n0-host:port` (Java: `MemberState`); the host may have dashes.
    #[must_use]
    pub fn parse(text: &str) -> Option<Peer> {
        let (id, address) = text.split_once('-')?;
        let (host, port) = address.rsplit_once(':')?;
        let is_address =
            !host.is_empty() && !host.contains(char::is_whitespace) && port.parse::<u16>().is_ok_and(|port| port > 0);
        is_address.then_some(Peer { member: member(id)?, address: address.to_owned() })
    }

    /// The port of its address.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.address.rsplit_once(':').and_then(|(_, port)| port.parse().ok()).unwrap_or_default()
    }
}

/// The number of a member's id: one letter and digits, as Java's `substring(1)` wants it.
#[must_use]
pub fn member(id: &str) -> Option<u32> {
    let digits = id.strip_prefix(|letter: char| letter.is_ascii_alphabetic())?;
    digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())?
}

impl Dledger {
    /// This broker among the peers.
    #[must_use]
    pub fn own(&self) -> Option<&Peer> {
        self.peer(self.me)
    }

    /// The peer of that id.
    #[must_use]
    pub fn peer(&self, member: u32) -> Option<&Peer> {
        self.peers.iter().find(|peer| peer.member == member)
    }

    /// The members with a vote.
    pub fn voters(&self) -> impl Iterator<Item = u32> {
        self.peers.iter().map(|peer| peer.member).filter(|member| !self.learners.contains(member))
    }

    /// None for a broker that is no member of a DLedger group, or does not say which.
    pub(in crate::config) fn from_values(values: &Values) -> Option<Dledger> {
        if !values.bool("enableDLegerCommitLog") {
            return None;
        }
        let members = |key| values.list(key).iter().filter_map(|id| member(id)).collect();
        let mut peers: Vec<Peer> = values.list("dLegerPeers").iter().filter_map(|text| Peer::parse(text)).collect();
        peers.sort();
        let election: Vec<u64> =
            values.list("raft.election_timeout_millis").iter().filter_map(|text| text.parse().ok()).collect();
        Some(Dledger {
            group: values.text("dLegerGroup").to_owned(),
            me: member(values.text("dLegerSelfId"))?,
            peers,
            preferred: members("preferredLeaderId"),
            learners: members("raft.learners"),
            heartbeat: values.duration("raft.heartbeat_millis"),
            election_min: Duration::from_millis(*election.first()?),
            election_max: Duration::from_millis(*election.last()?),
        })
    }
}
