//! Where a slave finds its master.

use crate::replication::following::Leader;
use crate::replication::link::local::Door;

/// Addresses of the master of a broker's name, as far as known; both stay when the master goes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Upstream {
    /// `ip:port` for requests.
    pub address: Option<String>,
    /// `ip:port` for the log.
    pub ha_address: Option<String>,
    /// The master's door for the log, when it is a broker of this process.
    pub door: Option<Door>,
}

impl Upstream {
    /// Where the log comes from.
    #[must_use]
    pub fn leader(&self) -> Leader {
        Leader { address: self.ha_address.clone(), door: self.door.clone(), term: None }
    }
}
