//! Heartbeats, and the four ways a broker leaves: it says so (104), its connection closes, it is silent too long, it is replaced.
//!
//! Java decides in one thread and removes in another, so that a broker which registers again in between is removed with its
//! fresh registration (apache/rocketmq#11043), and it forgets all but one of the brokers that share a connection. Here the
//! decision and the removal are one step, and both go by the connection of the last registration.

use std::sync::Arc;
use std::time::Duration;

use super::{ConnectionId, Group, Member, Rules, Table};
use crate::protocol::body::data_version::DataVersion;
use crate::protocol::ids::{BrokerId, BrokerIdentity};
use crate::protocol::sys_flag::perm;

/// A push (905) to members of a group whose lowest id changed (`NotifyMinBrokerIdChangeRequestHeader`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MinBrokerChanged {
    /// Whom to tell: addresses.
    pub to: Vec<String>,
    /// The group.
    pub name: String,
    /// The lowest id now.
    pub min_id: BrokerId,
    /// Its address.
    pub min_address: String,
    /// The address that left.
    pub offline_address: Option<String>,
    /// HA address of the broker that came.
    pub ha_address: Option<String>,
}

impl MinBrokerChanged {
    /// A broker with a lower id came: the others are told; it is told itself only when it is alone.
    pub(super) fn online(name: &str, group: &Group, ha_address: &str) -> Option<MinBrokerChanged> {
        let (min_id, lowest) = group.members.iter().next()?;
        let others = group.members.iter().filter(|(id, _)| group.members.len() == 1 || *id != min_id);
        Some(MinBrokerChanged {
            to: others.map(|(_, member)| member.address.clone()).collect(),
            name: name.to_owned(),
            min_id: *min_id,
            min_address: lowest.address.clone(),
            offline_address: None,
            ha_address: Some(ha_address.to_owned()),
        })
    }

    fn offline(name: &str, group: &Group, offline: String) -> Option<MinBrokerChanged> {
        let (min_id, lowest) = group.members.iter().next()?;
        Some(MinBrokerChanged {
            to: group.members.values().map(|member| member.address.clone()).collect(),
            name: name.to_owned(),
            min_id: *min_id,
            min_address: lowest.address.clone(),
            offline_address: Some(offline),
            ha_address: None,
        })
    }
}

/// What left, and who is to be told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Removed {
    /// The brokers that were removed, with their addresses.
    pub brokers: Vec<(BrokerIdentity, String)>,
    /// Pushes.
    pub notify: Vec<MinBrokerChanged>,
}

impl Table {
    /// A heartbeat (904, 322): the broker is alive. Unknown brokers stay unknown.
    pub fn refresh(&mut self, cluster: &str, name: &str, address: &str, now: Duration) {
        if let Some(group) = self.groups.get_mut(name).filter(|group| group.cluster == cluster) {
            let member = group.members.values_mut().find(|member| member.address == address);
            if let Some(member) = member {
                member.last_seen = now;
            }
        }
    }

    /// The version of the topics this broker last registered (322).
    #[must_use]
    pub fn version(&self, cluster: &str, name: &str, address: &str) -> Option<DataVersion> {
        let group = self.groups.get(name).filter(|group| group.cluster == cluster)?;
        group.members.values().find(|member| member.address == address).map(|member| member.version)
    }

    /// The broker says goodbye (104). As in Java the address decides, not the id: a controller may have changed that.
    pub fn unregister(&mut self, cluster: &str, name: &str, address: &str, rules: &Rules) -> Removed {
        self.remove(rules, |identity, member| {
            identity.name == name && identity.cluster == cluster && member.address == address
        })
    }

    /// A connection closed: every broker whose last registration came over it is gone.
    pub fn close(&mut self, connection: ConnectionId, rules: &Rules) -> Removed {
        self.remove(rules, |_, member| member.connection == connection)
    }

    /// Removes the brokers that were silent longer than they promised. Their connection stays open: others may share it.
    pub fn expire(&mut self, now: Duration, rules: &Rules) -> Removed {
        self.remove(rules, |_, member| member.last_seen.saturating_add(member.timeout) < now)
    }

    /// When the first broker will have been silent too long, if it stays silent.
    #[must_use]
    pub fn next_expiry(&self) -> Option<Duration> {
        let members = self.groups.values().flat_map(|group| group.members.values());
        members.map(|member| member.last_seen.saturating_add(member.timeout)).min()
    }

    fn remove(&mut self, rules: &Rules, leaves: impl Fn(&GroupName<'_>, &Member) -> bool) -> Removed {
        let mut removed = Removed::default();
        let mut gone: Vec<Arc<str>> = Vec::new();
        let mut masterless: Vec<Arc<str>> = Vec::new();
        for (name, group) in &mut self.groups {
            let lowest_before = group.lowest_id();
            let identity = GroupName { cluster: &group.cluster, name };
            let mut left: Vec<(BrokerId, String)> = Vec::new();
            group.members.retain(|id, member| {
                let leaving = leaves(&identity, member);
                if leaving {
                    left.push((*id, std::mem::take(&mut member.address)));
                }
                !leaving
            });
            let Some((first_id, first_address)) = left.first().cloned() else { continue };
            self.members -= left.len();
            for (id, address) in left {
                let identity = BrokerIdentity { cluster: group.cluster.clone(), name: (**name).to_owned(), id };
                removed.brokers.push((identity, address));
            }
            if group.members.is_empty() {
                gone.push(Arc::clone(name));
            } else if group.acting_master {
                let push = Some(first_id) == lowest_before && rules.notify_min_broker_id_changed;
                removed.notify.extend(push.then(|| MinBrokerChanged::offline(name, group, first_address)).flatten());
                if !group.has_master() {
                    masterless.push(Arc::clone(name));
                }
            }
        }
        self.revision += u64::from(!removed.brokers.is_empty());
        self.forget(&gone);
        self.wipe_writes(&masterless);
        removed
    }

    /// Takes the queues of groups without members along.
    fn forget(&mut self, gone: &[Arc<str>]) {
        if gone.is_empty() {
            return;
        }
        for name in gone {
            self.groups.remove(name);
        }
        for topic in self.topics.values_mut() {
            for name in gone {
                self.queues -= usize::from(topic.queues.remove(name).is_some());
            }
        }
        self.topics.retain(|_, topic| !topic.queues.is_empty());
    }

    /// Without a master nothing can be written; that is also what shows a slave as acting master.
    fn wipe_writes(&mut self, masterless: &[Arc<str>]) {
        for name in masterless {
            for topic in self.topics.values_mut() {
                if let Some(queues) = topic.queues.get_mut(name) {
                    queues.perm &= !perm::WRITE;
                }
            }
        }
    }

    /// The members of a group by id (901), found by broker name alone.
    #[must_use]
    pub fn members(&self, name: &str) -> Vec<(BrokerId, String)> {
        let members = self.groups.get(name).into_iter().flat_map(|group| &group.members);
        members.map(|(id, member)| (*id, member.address.clone())).collect()
    }
}

struct GroupName<'a> {
    cluster: &'a str,
    name: &'a str,
}
