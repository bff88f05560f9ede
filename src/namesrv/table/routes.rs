//! The answer clients live by: which brokers serve a topic, and where they are (105).

use std::collections::BTreeMap;

use super::{MASTER, Rules, Table, Topic};
use crate::protocol::body::route::{BrokerData, QueueData, TopicRouteData};
use crate::protocol::sys_flag::perm;
use crate::protocol::topic_name;

impl Table {
    /// The route of a topic; `None` when no broker serves it (Java: `pickupTopicRouteData`).
    #[must_use]
    pub fn route(&self, topic: &str, order_conf: Option<&str>, rules: &Rules) -> Option<TopicRouteData> {
        let entry = self.topics.get(topic)?;
        // By the topic of their group brokers look for each other: it shows the real members.
        let acting = rules.support_acting_master && !topic.starts_with(topic_name::SYNC_BROKER_MEMBER_PREFIX);
        let mappings = entry.mappings.iter().map(|(name, info)| (name.to_string(), info.clone()));
        let mut route = TopicRouteData {
            order_topic_conf: order_conf.map(str::to_owned),
            topic_queue_mapping_by_broker: (!entry.mappings.is_empty()).then(|| mappings.collect()),
            ..TopicRouteData::default()
        };
        for (name, queues) in &entry.queues {
            route.queue_datas.push(QueueData {
                broker_name: name.to_string(),
                read_queue_nums: queues.read,
                write_queue_nums: queues.write,
                perm: queues.perm,
                topic_sys_flag: queues.sys_flag,
            });
            let Some(broker) = self.broker_data(name, acting && shows_acting_master(entry, name)) else { continue };
            for member in self.groups[name].members.values().filter(|member| !member.filter_servers.is_empty()) {
                route.filter_server_table.insert(member.address.clone(), member.filter_servers.clone());
            }
            route.broker_datas.push(broker);
        }
        Some(route)
    }

    /// A group as clients see it. With `acting` and no master the lowest id is shown as master, if the group allows it.
    pub(super) fn broker_data(&self, name: &str, acting: bool) -> Option<BrokerData> {
        let group = self.groups.get(name)?;
        let mut broker_addrs: BTreeMap<_, _> =
            group.members.iter().map(|(id, member)| (id.0, member.address.clone())).collect();
        if acting
            && group.acting_master
            && !group.has_master()
            && let Some((_, address)) = broker_addrs.pop_first()
        {
            broker_addrs.insert(MASTER.0, address);
        }
        Some(BrokerData {
            cluster: group.cluster.clone(),
            broker_name: name.to_owned(),
            broker_addrs,
            zone_name: group.zone.clone(),
            enable_acting_master: group.acting_master,
        })
    }
}

/// Only a topic that nobody may write there is served by a stand-in.
fn shows_acting_master(topic: &Topic, name: &str) -> bool {
    topic.queues.get(name).is_some_and(|queues| queues.perm & perm::WRITE == 0)
}

/// Drops the brokers of other zones as long as they have a master (`ZoneRouteRPCHook`): a client of a zone that lost its
/// master reads elsewhere.
pub fn keep_zone(route: &mut TopicRouteData, zone: &str) {
    let stays = |broker: &BrokerData| {
        let same = broker.zone_name.as_deref().is_some_and(|name| name.eq_ignore_ascii_case(zone));
        same || !broker.broker_addrs.contains_key(&MASTER.0)
    };
    let (kept, dropped): (Vec<_>, Vec<_>) = std::mem::take(&mut route.broker_datas).into_iter().partition(stays);
    route.broker_datas = kept;
    for broker in dropped {
        route.queue_datas.retain(|queues| queues.broker_name != broker.broker_name);
        for address in broker.broker_addrs.values() {
            route.filter_server_table.remove(address);
        }
    }
}
