//! Keys of members of a DLedger group (Java: `MessageStoreConfig`, `DLedgerConfig`), and our own under `raft.`.

use super::{Key, Kind, millis};

pub(super) const KEYS: &[Key] = &[
    Key::new(
        "enableDLegerCommitLog",
        Kind::Bool,
        "false",
        "Make the broker a member of a DLedger group, which elects its leader and acknowledges by majority. brokerRole, brokerId and \
         haListenPort mean nothing then. Needs raft.unsafe_raft.",
    ),
    Key::computed(
        "dLegerGroup",
        Kind::Name,
        "brokerName",
        "Name of the DLedger group; all its members have this and the brokerName in common.",
    ),
    Key::new(
        "dLegerPeers",
        Kind::Peers,
        "",
        "The members of the DLedger group with the ports at which they speak to each other; this broker listens on its own.",
    )
    .reloadable(),
    Key::new("dLegerSelfId", Kind::Member, "", "Which of dLegerPeers this broker is; its number replaces brokerId."),
    Key::new(
        "preferredLeaderId",
        Kind::Members,
        "",
        "Members that are to lead when they can, the first of them before the others.",
    )
    .reloadable(),
    Key::new(
        "raft.heartbeat_millis",
        millis(10, 60_000),
        "200",
        "How often the leader of a DLedger group shows that it is there.",
    ),
    Key::new(
        "raft.election_timeout_millis",
        Kind::Span { min: 50, max: 600_000 },
        "1000;2000",
        "Silence of the leader after which a member stands for election: chosen anew between these two each time.",
    ),
    Key::new(
        "raft.learners",
        Kind::Members,
        "",
        "Those of dLegerPeers that copy the log and neither vote nor count for a majority.",
    )
    .reloadable(),
    Key::new(
        "raft.unsafe_raft",
        Kind::Bool,
        "false",
        "Start DLedger brokers although what is to be proved about them has not been proved yet.",
    ),
];
