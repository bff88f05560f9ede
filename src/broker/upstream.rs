//! Where a slave finds its master.

/// Addresses of the master of a broker's name, as far as known; both stay when the master goes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Upstream {
    /// `ip:port` for requests.
    pub address: Option<String>,
    /// `ip:port` for the log.
    pub ha_address: Option<String>,
}
