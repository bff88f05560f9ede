//! What is measured: one row each, with a name that `--rows` selects by.

/// One row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// As many sends as are answered.
    Send { mode: Mode, bytes: u32, connections: u32, sync_flush: bool },
    /// Sends at a fixed rate, open loop.
    Rate { per_s: u32, sync_flush: bool },
    /// A producer at a fixed rate and a consumer at the tail.
    Tail { per_s: u32 },
    /// Reading what is in the page cache.
    CatchUp { bytes: u32 },
    /// Reading what is not.
    Cold,
    /// Several brokers in one process and in a process each.
    Brokers { brokers: usize },
    /// One broker saturated, its neighbour with a light load.
    Neighbour { hog: Hog },
    /// Over so many stored messages.
    Start { millions: u64 },
}

/// What saturates a broker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Hog {
    /// As many sends as are answered.
    Producers,
    /// The same, each answered after a sync.
    SyncFlush,
    /// Reading what is not in the page cache.
    ColdReaders,
}

/// How sends follow each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// One in flight on each connection.
    Sync,
    /// About a thousand in flight on all connections together.
    Async,
    /// As `Sync`, but each with many messages.
    Batch,
}

/// In flight of all connections together, in mode async. More makes Java answer SYSTEM_BUSY.
const INFLIGHT: u32 = 1024;
/// Messages of a batch.
pub const BATCH: u32 = 32;
const SIZES: [u32; 3] = [128, 1024, 16 * 1024];
const CONNECTIONS: [u32; 3] = [1, 16, 256];

/// All rows in the order of the page.
pub fn all() -> Vec<Work> {
    let mut rows = Vec::new();
    for sync_flush in [false, true] {
        for mode in [Mode::Sync, Mode::Async, Mode::Batch] {
            for bytes in SIZES {
                rows.extend(CONNECTIONS.map(|connections| Work::Send { mode, bytes, connections, sync_flush }));
            }
        }
    }
    rows.extend([2_000, 10_000].map(|per_s| Work::Rate { per_s, sync_flush: false }));
    rows.extend([500, 2_000].map(|per_s| Work::Rate { per_s, sync_flush: true }));
    rows.extend([2_000, 10_000].map(|per_s| Work::Tail { per_s }));
    rows.extend(SIZES.map(|bytes| Work::CatchUp { bytes }));
    rows.push(Work::Cold);
    rows.extend([1, 4, 8].map(|brokers| Work::Brokers { brokers }));
    rows.extend(Hog::ALL.map(|hog| Work::Neighbour { hog }));
    rows.extend([1, 10, 50].map(|millions| Work::Start { millions }));
    rows
}

impl Work {
    pub fn name(self) -> String {
        match self {
            Work::Send { mode, bytes, connections, sync_flush } => {
                format!("send/{}/{}/{}/x{connections}", flush(sync_flush), mode.name(), size(bytes))
            }
            Work::Rate { per_s, sync_flush } => format!("rate/{}/{per_s}", flush(sync_flush)),
            Work::Tail { per_s } => format!("tail/{per_s}"),
            Work::CatchUp { bytes } => format!("catch-up/{}", size(bytes)),
            Work::Cold => "catch-up-cold/1KiB".into(),
            Work::Brokers { brokers } => format!("brokers/{brokers}"),
            Work::Neighbour { hog } => hog.row().into(),
            Work::Start { millions } => format!("start/{millions}M"),
        }
    }

    /// Whether it runs on the three warm servers, and with which flush.
    pub fn peers(self) -> Option<bool> {
        match self {
            Work::Send { sync_flush, .. } | Work::Rate { sync_flush, .. } => Some(sync_flush),
            Work::Tail { .. } | Work::CatchUp { .. } => Some(false),
            Work::Cold | Work::Brokers { .. } | Work::Neighbour { .. } | Work::Start { .. } => None,
        }
    }

    /// Rows that goals are read from.
    pub fn is_goal(self) -> bool {
        match self {
            Work::Send { mode, bytes, connections, .. } => mode != Mode::Batch && bytes == 1024 && connections == 16,
            Work::Rate { .. } | Work::Tail { .. } | Work::Neighbour { .. } => true,
            _ => false,
        }
    }

    /// Rows that only `--full` measures: what they say can be told from rows beside them, which have the same size, the same
    /// number of connections or the same flush.
    pub fn is_detail(self) -> bool {
        match self {
            Work::Send { mode, bytes, connections, sync_flush } => {
                let crowd = connections != 16 && (bytes != 1024 || mode == Mode::Batch);
                crowd || (sync_flush && bytes == 128)
            }
            Work::Start { millions } => millions > 10,
            _ => false,
        }
    }

    /// Rows of `--quick`: one of each kind.
    pub fn is_quick(self) -> bool {
        match self {
            Work::Send { bytes, connections, .. } => bytes == 1024 && connections == 16,
            Work::Rate { per_s, .. } | Work::Tail { per_s } => per_s == 2_000,
            Work::CatchUp { bytes } => bytes == 1024,
            Work::Cold | Work::Neighbour { .. } => true,
            Work::Brokers { brokers } => brokers == 8,
            Work::Start { millions } => millions == 1,
        }
    }
}

impl Hog {
    pub const ALL: [Hog; 3] = [Hog::Producers, Hog::SyncFlush, Hog::ColdReaders];

    /// The row's name.
    pub fn row(self) -> &'static str {
        match self {
            Hog::Producers => "neighbour/producers",
            Hog::SyncFlush => "neighbour/sync-flush",
            Hog::ColdReaders => "neighbour/cold-readers",
        }
    }

    /// Who it is, after "saturated by".
    pub fn name(self) -> &'static str {
        match self {
            Hog::Producers => "producers",
            Hog::SyncFlush => "SYNC_FLUSH producers",
            Hog::ColdReaders => "readers of what is not in the page cache",
        }
    }
}

impl Mode {
    pub fn name(self) -> &'static str {
        match self {
            Mode::Sync => "sync",
            Mode::Async => "async",
            Mode::Batch => "batch",
        }
    }

    /// As options of `mqcontainer bench send`.
    pub fn options(self, connections: u32) -> Vec<String> {
        match self {
            Mode::Sync => Vec::new(),
            Mode::Async => {
                ["--mode", "async", "--inflight", &(INFLIGHT / connections).to_string()].map(str::to_owned).into()
            }
            Mode::Batch => ["--batch", &BATCH.to_string()].map(str::to_owned).into(),
        }
    }
}

fn flush(sync_flush: bool) -> &'static str {
    if sync_flush { "sync-flush" } else { "async-flush" }
}

fn size(bytes: u32) -> String {
    if bytes < 1024 { format!("{bytes}B") } else { format!("{}KiB", bytes / 1024) }
}
