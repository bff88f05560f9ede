//! Positions and names as types, so that no two of them can be mixed up.

use std::fmt;
use std::ops::{Add, Sub};

/// Milliseconds of wall-clock time since the Unix epoch, as Java's `System.currentTimeMillis()`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Millis(pub i64);

impl Millis {
    /// The time `millis` later.
    #[must_use]
    pub fn plus(self, millis: i64) -> Millis {
        Millis(self.0.saturating_add(millis))
    }

    /// Milliseconds from `earlier` to `self`; negative when the clock went back.
    #[must_use]
    pub fn since(self, earlier: Millis) -> i64 {
        self.0.saturating_sub(earlier.0)
    }
}

/// A byte position in a broker's commit log, counted from the first byte ever written (Java: `phyOffset`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PhysicalOffset(pub i64);

impl Add<i64> for PhysicalOffset {
    type Output = PhysicalOffset;
    fn add(self, bytes: i64) -> PhysicalOffset {
        PhysicalOffset(self.0 + bytes)
    }
}

impl Sub for PhysicalOffset {
    type Output = i64;
    fn sub(self, other: PhysicalOffset) -> i64 {
        self.0 - other.0
    }
}

/// The number of a message within its queue, gapless from the first message on (Java: `queueOffset`, cq index).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct QueueOffset(pub i64);

impl Add<i64> for QueueOffset {
    type Output = QueueOffset;
    fn add(self, messages: i64) -> QueueOffset {
        QueueOffset(self.0 + messages)
    }
}

impl Sub for QueueOffset {
    type Output = i64;
    fn sub(self, other: QueueOffset) -> i64 {
        self.0 - other.0
    }
}

/// The number of a queue within a topic on one broker.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct QueueId(pub i32);

/// The id of a broker within its name: 0 is the master, others are slaves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BrokerId(pub i64);

impl BrokerId {
    /// The id of every master (Java: `MixAll.MASTER_ID`).
    pub const MASTER: BrokerId = BrokerId(0);
}

/// Who a broker is in its container: Java's `BrokerIdentity` (cluster, name, id).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BrokerIdentity {
    /// `brokerClusterName`.
    pub cluster: String,
    /// `brokerName`, shared by a master and its slaves.
    pub name: String,
    /// `brokerId`.
    pub id: BrokerId,
}

impl fmt::Display for BrokerIdentity {
    /// Java's canonical name: `cluster_name_id`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}_{}_{}", self.cluster, self.name, self.id.0)
    }
}

macro_rules! display_as_number {
    ($($name:ident),*) => {$(
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    )*};
}
display_as_number!(Millis, PhysicalOffset, QueueOffset, QueueId, BrokerId);
