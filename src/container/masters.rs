//! Which master a slave follows, as far as the container knows.
//!
//! ```text
//! a master of the same cluster and name serves in this process ------------\
//! the NameServers' answer to 103 that names a master, when it is news ------+--> Upstream of the slave
//! what was known before: NameServers, or a master that spoke itself (906) --/
//! ```
//!
//! The first line that has an answer counts; `haMasterAddress` replaces the address for the log, whatever the answer. A master of this
//! process that is still joining its group is offered to nobody, but whoever knows its address from itself finds its door too.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use tokio::sync::watch;

use crate::broker::Upstream;
use crate::config;
use crate::protocol::ids::{BrokerId, BrokerIdentity};
use crate::replication::link::local::Door;

/// The masters of this process, by cluster and name.
#[derive(Debug)]
pub(super) struct Masters {
    known: watch::Sender<Neighbours>,
}

/// By cluster and name.
pub(super) type Neighbours = BTreeMap<(String, String), Neighbour>;

/// A master of this process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Neighbour {
    /// How this process reaches it.
    upstream: Upstream,
    /// How it calls itself: for requests and for the log.
    advertised: [String; 2],
    /// It has joined its group.
    serves: bool,
}

/// A master that may take messages of others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Other {
    /// Its broker name.
    pub(super) name: String,
    /// `ip:port` for requests.
    pub(super) address: String,
}

impl Masters {
    pub(super) fn new() -> Masters {
        Masters { known: watch::Sender::new(BTreeMap::new()) }
    }

    /// Signals whenever a master comes, begins to serve or ends.
    pub(super) fn changes(&self) -> watch::Receiver<Neighbours> {
        self.known.subscribe()
    }

    /// A broker has opened its doors, or has joined its group; only a master is noted.
    pub(super) fn came(&self, broker: &config::Broker, bind: IpAddr, door: &Door, serves: bool) {
        if is_master(broker) {
            let neighbour = Neighbour {
                upstream: local(broker, bind, door),
                advertised: [
                    SocketAddr::new(broker.addresses.client, broker.ports.main).to_string(),
                    SocketAddr::new(broker.addresses.ha, broker.ports.ha).to_string(),
                ],
                serves,
            };
            self.known.send_modify(|known| drop(known.insert(group(&broker.identity), neighbour)));
        }
    }

    /// A broker is not there any more.
    pub(super) fn ended(&self, broker: &config::Broker) {
        if is_master(broker) {
            self.known.send_modify(|known| drop(known.remove(&group(&broker.identity))));
        }
    }

    /// The master of this broker's name, when it is in this process.
    pub(super) fn beside(&self, broker: &config::Broker) -> Option<Neighbour> {
        self.known.borrow().get(&group(&broker.identity)).cloned()
    }

    /// The masters of other names in the same cluster that serve in this process.
    pub(super) fn others(&self, broker: &BrokerIdentity) -> Vec<Other> {
        let known = self.known.borrow();
        let others = known.iter().filter(|((cluster, name), neighbour)| {
            *cluster == broker.cluster && *name != broker.name && neighbour.serves
        });
        let other = |((_, name), neighbour): (&(String, String), &Neighbour)| {
            Some(Other { name: name.clone(), address: neighbour.upstream.address.clone()? })
        };
        others.filter_map(other).collect()
    }
}

impl Neighbour {
    /// Whether somebody who was told these addresses was told of this master.
    fn is_at(&self, told: &Upstream) -> bool {
        let own = &self.upstream;
        let is = |told: &Option<String>, own: &Option<String>, advertised: &String| {
            told.is_some() && (told == own || told.as_ref() == Some(advertised))
        };
        is(&told.address, &own.address, &self.advertised[0])
            || is(&told.ha_address, &own.ha_address, &self.advertised[1])
    }
}

/// What a slave is to know of its master; `news` is what NameServers say now and did not say before, `known` what it knew.
pub(super) fn upstream(
    broker: &config::Broker,
    beside: Option<&Neighbour>,
    news: Option<Upstream>,
    known: Upstream,
) -> Upstream {
    if is_master(broker) || broker.dledger.is_some() {
        return known;
    }
    let mut upstream = choose(beside, news, known, broker.group.acting_master);
    if let Some(configured) = &broker.replication.master_ha_address {
        upstream.ha_address = Some(configured.clone());
        upstream.door = None;
    }
    upstream
}

/// A door leads to a broker of this process, or nowhere. In a group whose slaves act as master nothing is left of a neighbour that has
/// ended: it comes back by joining, and takes over from its slaves what they have before they copy from it again.
fn choose(beside: Option<&Neighbour>, news: Option<Upstream>, known: Upstream, acting: bool) -> Upstream {
    if let Some(neighbour) = beside.filter(|neighbour| neighbour.serves) {
        return neighbour.upstream.clone();
    }
    let has_ended = |door: &Door| beside.is_none_or(|neighbour| neighbour.upstream.door.as_ref() != Some(door));
    let known = match &known.door {
        Some(door) if acting && has_ended(door) => Upstream::default(),
        _ => Upstream { door: None, ..known },
    };
    let upstream = news.unwrap_or(known);
    match beside.filter(|neighbour| neighbour.is_at(&upstream)) {
        Some(neighbour) => neighbour.upstream.clone(),
        None => upstream,
    }
}

/// Members of DLedger groups find their leader by themselves, and Java's container does not count them as masters either.
fn is_master(broker: &config::Broker) -> bool {
    broker.identity.id == BrokerId::MASTER && broker.dledger.is_none()
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

    fn neighbour(name: &str, door: &Door, serves: bool) -> Neighbour {
        let upstream = Upstream { door: Some(door.clone()), ..upstream(name) };
        let advertised = [format!("{name}-outside"), format!("{name}-ha-outside")];
        Neighbour { upstream, advertised, serves }
    }

    #[test]
    fn a_neighbour_that_serves_is_nearer_than_a_name_server_and_what_is_known_stays() {
        let door = Door::new().0;
        let check = |beside: Option<Neighbour>, news: Option<&str>, known: Upstream, expected: Upstream| {
            assert_eq!(choose(beside.as_ref(), news.map(upstream), known, true), expected);
        };
        let through_door = |name| Upstream { door: Some(door.clone()), ..upstream(name) };
        let serving = || Some(neighbour("beside", &door, true));
        let joining = || Some(neighbour("beside", &door, false));
        check(serving(), Some("told"), upstream("known"), through_door("beside"));
        check(None, Some("told"), upstream("known"), upstream("told"));
        check(None, None, upstream("known"), upstream("known"));
        check(None, None, Upstream::default(), Upstream::default());
        // Whoever joins is found by those it has told.
        check(joining(), None, Upstream::default(), Upstream::default());
        check(joining(), None, upstream("known"), upstream("known"));
        check(joining(), Some("told"), upstream("beside"), upstream("told"));
        check(joining(), None, upstream("beside"), through_door("beside"));
        check(joining(), None, upstream("beside-outside"), through_door("beside"));
        check(joining(), None, through_door("beside"), through_door("beside"));
    }

    #[test]
    fn of_a_neighbour_that_has_ended_a_group_with_acting_masters_keeps_nothing() {
        let check = |beside: Option<Neighbour>, acting: bool, expected: Upstream| {
            let known = Upstream { door: Some(Door::new().0), ..upstream("beside") };
            assert_eq!(choose(beside.as_ref(), None, known, acting), expected);
        };
        check(None, false, upstream("beside"));
        check(None, true, Upstream::default());
        // It is back already, and joins.
        check(Some(neighbour("beside", &Door::new().0, false)), true, Upstream::default());
    }
}
