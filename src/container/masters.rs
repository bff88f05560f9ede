//! Which master a slave follows, as far as the container knows.
//!
//! ```text
//! a master of the same cluster and name serves in this process --\
//! the NameServers' newest answer to 103 that names a master ------+--> Upstream of the slave
//! what was known before ------------------------------------------/
//! ```
//!
//! The first line that has an answer counts; `haMasterAddress` replaces the address for the log, whatever the answer.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use tokio::sync::watch;

use crate::broker::Upstream;
use crate::config;
use crate::protocol::ids::{BrokerId, BrokerIdentity};
use crate::replication::link::local::Door;

/// The masters that serve in this process, by cluster and name.
#[derive(Debug)]
pub(super) struct Masters {
    serving: watch::Sender<BTreeMap<(String, String), Upstream>>,
}

impl Masters {
    pub(super) fn new() -> Masters {
        Masters { serving: watch::Sender::new(BTreeMap::new()) }
    }

    /// Signals whenever a master begins or ends to serve.
    pub(super) fn changes(&self) -> watch::Receiver<BTreeMap<(String, String), Upstream>> {
        self.serving.subscribe()
    }

    /// A broker serves; only a master is noted.
    pub(super) fn serves(&self, broker: &config::Broker, bind: IpAddr, door: &Door) {
        if broker.identity.id == BrokerId::MASTER {
            self.serving
                .send_modify(|masters| drop(masters.insert(group(&broker.identity), local(broker, bind, door))));
        }
    }

    /// A broker serves no more.
    pub(super) fn ended(&self, broker: &config::Broker) {
        if broker.identity.id == BrokerId::MASTER {
            self.serving.send_modify(|masters| drop(masters.remove(&group(&broker.identity))));
        }
    }

    fn beside(&self, broker: &config::Broker) -> Option<Upstream> {
        self.serving.borrow().get(&group(&broker.identity)).cloned()
    }

    /// What a broker is to know of its master; `told` is what NameServers said, `known` what it knew before.
    pub(super) fn upstream(&self, broker: &config::Broker, told: Option<Upstream>, known: Upstream) -> Upstream {
        if broker.identity.id == BrokerId::MASTER {
            return known;
        }
        choose(self.beside(broker), told, known, broker.replication.master_ha_address.as_deref())
    }
}

fn choose(beside: Option<Upstream>, told: Option<Upstream>, known: Upstream, configured: Option<&str>) -> Upstream {
    // A door leads to a broker that serves here now, or nowhere.
    let mut upstream = beside.or(told).unwrap_or(Upstream { door: None, ..known });
    if let Some(configured) = configured {
        upstream.ha_address = Some(configured.to_owned());
        upstream.door = None;
    }
    upstream
}

fn group(identity: &BrokerIdentity) -> (String, String) {
    (identity.cluster.clone(), identity.name.clone())
}

/// Addresses under which this process reaches a broker of its own: `brokerIP1` may be one that only others can use.
fn local(broker: &config::Broker, bind: IpAddr, door: &Door) -> Upstream {
    let at = |advertised: IpAddr, port| {
        let ip = if bind.is_unspecified() { advertised } else { bind };
        Some(SocketAddr::new(ip, port).to_string())
    };
    Upstream {
        address: at(broker.addresses.client, broker.ports.main),
        ha_address: at(broker.addresses.ha, broker.ports.ha),
        door: Some(door.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn upstream(name: &str) -> Upstream {
        Upstream { address: Some(name.to_owned()), ha_address: Some(format!("{name}-ha")), door: None }
    }

    #[test]
    fn a_neighbour_is_nearer_than_a_name_server_and_what_is_known_stays() {
        let check = |beside: Option<&str>, told: Option<&str>, known: Upstream, expected: Upstream| {
            assert_eq!(choose(beside.map(upstream), told.map(upstream), known, None), expected);
        };
        check(Some("beside"), Some("told"), upstream("known"), upstream("beside"));
        check(None, Some("told"), upstream("known"), upstream("told"));
        check(None, None, upstream("known"), upstream("known"));
        check(None, None, Upstream::default(), Upstream::default());
    }

    #[test]
    fn the_configured_address_of_the_log_wins() {
        let check = |told: Option<&str>, expected: Option<&str>| {
            let got = choose(None, told.map(upstream), Upstream::default(), Some("fixed"));
            let address = expected.map(str::to_owned);
            assert_eq!(got, Upstream { address, ha_address: Some("fixed".into()), door: None });
        };
        check(Some("told"), Some("told"));
        check(None, None);
    }
}
