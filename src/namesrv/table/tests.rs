//! The table as a story: events in, what was answered and what is known afterwards out.

use std::collections::BTreeMap;
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::protocol::body::route::QueueData;
use crate::protocol::body::topic::TopicConfig;

/// One event, said shortly.
#[derive(Clone, Debug)]
enum Step {
    /// Name, id, address, connection, state version and topics; `acting` is `enableActingMaster`.
    Register {
        name: &'static str,
        id: i64,
        address: &'static str,
        connection: u64,
        version: (i64, i64),
        acting: Option<bool>,
        topics: &'static [&'static str],
    },
    Unregister(&'static str, &'static str),
    Close(u64),
    /// Seconds that pass without any sign of life, then a scan.
    Silence(u64),
    Heartbeat(&'static str, &'static str),
    Delete(&'static str, Option<&'static str>),
    Permission(&'static str, WritePermission),
    Single(&'static str, &'static str),
    /// Asks for a route.
    Route(&'static str),
}

use Step::{Close, Delete, Heartbeat, Permission, Register, Route, Silence, Single, Unregister};

const CLUSTER: &str = "c";

fn register(name: &'static str, id: i64, address: &'static str, connection: u64) -> Step {
    Register { name, id, address, connection, version: (0, 1), acting: Some(false), topics: &["T", "U"] }
}

impl Step {
    fn version(self, state: i64, counter: i64) -> Step {
        let Register { name, id, address, connection, acting, topics, .. } = self else { panic!("not a registration") };
        Register { name, id, address, connection, version: (state, counter), acting, topics }
    }
    fn acting(self, acting: Option<bool>) -> Step {
        let Register { name, id, address, connection, version, topics, .. } = self else {
            panic!("not a registration")
        };
        Register { name, id, address, connection, version, acting, topics }
    }
    fn topics(self, topics: &'static [&'static str]) -> Step {
        let Register { name, id, address, connection, version, acting, .. } = self else {
            panic!("not a registration")
        };
        Register { name, id, address, connection, version, acting, topics }
    }
}

struct Story {
    table: Table,
    rules: Rules,
    now: Duration,
    told: Vec<String>,
}

impl Story {
    fn new(rules: Rules, limits: Limits) -> Story {
        Story { table: Table::new(limits), rules, now: Duration::from_secs(1000), told: Vec::new() }
    }

    fn step(&mut self, step: Step) {
        match step {
            Register { name, id, address, connection, version, acting, topics } => {
                let registration = registration(name, id, address, version, acting, topics);
                let connection = ConnectionId(connection);
                match self.table.register(registration, connection, self.now, &self.rules) {
                    Ok(registered) => {
                        if registered.outdated {
                            self.told.push(format!("{name}:{id} outdated"));
                        }
                        self.told
                            .extend(registered.master.map(|(master, ha)| format!("{name}:{id} master {master} {ha}")));
                        self.told.extend(registered.notify.map(push));
                    }
                    Err(refused) => self.told.push(format!("{name}:{id} {refused:?}")),
                }
            }
            Unregister(name, address) => {
                let removed = self.table.unregister(CLUSTER, name, address, &self.rules);
                self.removed(removed);
            }
            Close(connection) => {
                let removed = self.table.close(ConnectionId(connection), &self.rules);
                self.removed(removed);
            }
            Silence(seconds) => {
                self.now += Duration::from_secs(seconds);
                let removed = self.table.expire(self.now, &self.rules);
                self.removed(removed);
            }
            Heartbeat(name, address) => self.table.refresh(CLUSTER, name, address, self.now),
            Delete(topic, cluster) => self.table.delete_topic(topic, cluster),
            Permission(broker, what) => {
                let count = self.table.set_write_permission(broker, what);
                self.told.push(format!("{count} topics of {broker}"));
            }
            Single(topic, broker_name) => {
                let queues = QueueData {
                    broker_name: broker_name.into(),
                    perm: 6,
                    read_queue_nums: 1,
                    write_queue_nums: 1,
                    topic_sys_flag: 0,
                };
                if self.table.register_topic(topic, &[queues]).is_err() {
                    self.told.push(format!("{topic} on {broker_name} ignored"));
                }
            }
            Route(topic) => {
                let route = self.table.route(topic, None, &self.rules);
                self.told.push(match route {
                    None => format!("no route to {topic}"),
                    Some(route) => {
                        let brokers = route.broker_datas.iter();
                        format!("route {topic}: {:?}", brokers.map(|broker| &broker.broker_addrs).collect::<Vec<_>>())
                    }
                });
            }
        }
        self.table.check();
    }

    fn removed(&mut self, removed: Removed) {
        self.told.extend(removed.brokers.iter().map(|(identity, _)| format!("{}:{} gone", identity.name, identity.id)));
        self.told.extend(removed.notify.into_iter().map(push));
    }

    /// What was told, then the brokers, then the topics as `topic broker=perm`.
    fn picture(self) -> Vec<String> {
        let mut lines = self.told;
        for (name, group) in &self.table.groups {
            let members = group.members.iter().map(|(id, member)| format!(" {id}={}", member.address));
            lines.push(format!("{name}{}", members.collect::<String>()));
        }
        for (topic, entry) in &self.table.topics {
            let queues = entry.queues.iter().map(|(name, queues)| format!(" {name}={}", queues.perm));
            lines.push(format!("{topic}{}", queues.collect::<String>()));
        }
        lines
    }
}

fn push(push: MinBrokerChanged) -> String {
    format!(
        "tell {} that {}:{} at {} is lowest, off {:?}, ha {:?}",
        push.to.join(" "),
        push.name,
        push.min_id,
        push.min_address,
        push.offline_address,
        push.ha_address
    )
}

fn registration(
    name: &str,
    id: i64,
    address: &str,
    (state_version, counter): (i64, i64),
    acting_master: Option<bool>,
    topics: &[&str],
) -> Registration {
    let config = |topic: &&str| {
        let config = TopicConfig {
            topic_name: (*topic).into(),
            perm: 6,
            read_queue_nums: 4,
            write_queue_nums: 4,
            ..TopicConfig::default()
        };
        ((*topic).to_owned(), config)
    };
    Registration {
        cluster: CLUSTER.into(),
        name: name.into(),
        id: BrokerId(id),
        address: address.into(),
        ha_address: format!("{address}-ha"),
        acting_master,
        version: DataVersion { state_version, counter, ..DataVersion::default() },
        topics: topics.iter().map(config).collect(),
        ..Registration::default()
    }
}

fn check_with(rules: Rules, limits: Limits, steps: impl IntoIterator<Item = Step>, expected: &[&str]) {
    let mut story = Story::new(rules, limits);
    for step in steps {
        story.step(step);
    }
    assert_eq!(story.picture(), expected);
}

fn check(steps: impl IntoIterator<Item = Step>, expected: &[&str]) {
    check_with(Rules::default(), Limits::default(), steps, expected);
}

const ACTING: Rules = Rules {
    support_acting_master: true,
    notify_min_broker_id_changed: true,
    delete_topic_with_registration: false,
    order_message: false,
    return_order_topics: true,
};

fn check_acting(steps: impl IntoIterator<Item = Step>, expected: &[&str]) {
    check_with(ACTING, Limits::default(), steps, expected);
}

#[test]
fn a_broker_comes_and_leaves_with_its_topics() {
    check([register("a", 0, "h1", 1), register("b", 0, "h2", 2)], &["a 0=h1", "b 0=h2", "T a=6 b=6", "U a=6 b=6"]);
    check(
        [register("a", 0, "h1", 1), register("b", 0, "h2", 2).topics(&["T", "V"]), Unregister("a", "h1")],
        &["a:0 gone", "b 0=h2", "T b=6", "V b=6"],
    );
    check([register("a", 0, "h1", 1), Unregister("a", "other"), Unregister("b", "h1")], &["a 0=h1", "T a=6", "U a=6"]);
    check([register("a", 0, "h1", 1), Silence(120), Silence(1)], &["a:0 gone"]);
    check([register("a", 0, "h1", 1), Silence(100), Heartbeat("a", "h1"), Silence(100)], &["a 0=h1", "T a=6", "U a=6"]);
}

#[test]
fn a_closed_connection_takes_all_brokers_that_registered_over_it() {
    check(
        [register("a", 0, "h1", 1), register("b", 0, "h2", 1), register("c", 0, "h3", 2), Close(1)],
        &["a:0 gone", "b:0 gone", "c 0=h3", "T c=6", "U c=6"],
    );
    // A fresh registration came over another connection before the old one was found closed.
    check([register("a", 0, "h1", 1), register("a", 0, "h1", 2), Close(1)], &["a 0=h1", "T a=6", "U a=6"]);
    check(
        [register("a", 0, "h1", 1), register("b", 0, "h2", 1), Silence(100), Heartbeat("b", "h2"), Silence(50)],
        &["a:0 gone", "b 0=h2", "T b=6", "U b=6"],
    );
}

#[test]
fn a_first_registration_with_one_topic_is_refused_and_leaves_nothing() {
    check([register("a", 0, "h1", 1).topics(&["T"])], &["a:0 SingleTopic { name: \"a\", id: BrokerId(0) }"]);
    check(
        [register("a", 0, "h1", 1), register("a", 0, "h1", 1).topics(&["V"]).version(0, 2)],
        &["a 0=h1", "T a=6", "U a=6", "V a=6"],
    );
    check([register("a", 0, "h1", 1).topics(&[])], &["a 0=h1"]);
}

#[test]
fn an_address_has_one_id_and_an_id_one_address() {
    // A slave becomes master under its address.
    check([register("a", 1, "h1", 1), register("a", 0, "h1", 1)], &["a 0=h1", "T a=6", "U a=6"]);
    // Another machine takes the id over; an older state version is ignored, and what it had goes.
    check([register("a", 0, "h1", 1), register("a", 0, "h2", 2)], &["a 0=h2", "T a=6", "U a=6"]);
    check(
        [register("a", 0, "h1", 1).version(2, 1), register("a", 0, "h2", 2).version(1, 1)],
        &["a:0 outdated", "a 0=h1", "T a=6", "U a=6"],
    );
    check(
        [
            register("a", 0, "h1", 1).version(2, 1),
            register("a", 1, "h2", 2).version(1, 1),
            register("a", 0, "h2", 2).version(1, 2),
        ],
        &["a:1 master h1 h1-ha", "a:0 outdated", "a 0=h1", "T a=6", "U a=6"],
    );
}

#[test]
fn topics_come_from_the_master_or_from_the_slave_that_stands_in() {
    // Old brokers' slaves give none; new ones' do when they have the lowest id, read-only if they may act.
    check([register("a", 1, "h1", 1).acting(None)], &["a 1=h1"]);
    check([register("a", 1, "h1", 1)], &["a 1=h1", "T a=6", "U a=6"]);
    check([register("a", 1, "h1", 1).acting(Some(true))], &["a 1=h1", "T a=4", "U a=4"]);
    check(
        [register("a", 0, "h0", 1), register("a", 1, "h1", 2).topics(&["V", "W"])],
        &["a:1 master h0 h0-ha", "a 0=h0 1=h1", "T a=6", "U a=6"],
    );
}

#[test]
fn the_same_version_changes_nothing_but_what_is_missing() {
    let wiped = [register("a", 0, "h1", 1), Permission("a", WritePermission::Wipe)];
    let told = "2 topics of a";
    check([&wiped[..], &[register("a", 0, "h1", 1)]].concat(), &[told, "a 0=h1", "T a=4", "U a=4"]);
    check([&wiped[..], &[register("a", 0, "h1", 1).version(0, 2)]].concat(), &[told, "a 0=h1", "T a=6", "U a=6"]);
    check([&wiped[..], &[Permission("a", WritePermission::Add)]].concat(), &[told, told, "a 0=h1", "T a=6", "U a=6"]);
    let deleted = [&wiped[..], &[Delete("T", None), register("a", 0, "h1", 1)]].concat();
    check(deleted, &[told, "a 0=h1", "T a=6", "U a=4"]);
    check([Permission("nobody", WritePermission::Wipe)], &["0 topics of nobody"]);
}

#[test]
fn topics_are_deleted_everywhere_or_in_one_cluster() {
    let two = [register("a", 0, "h1", 1), register("b", 0, "h2", 2)];
    check([&two[..], &[Delete("T", None)]].concat(), &["a 0=h1", "b 0=h2", "U a=6 b=6"]);
    check([&two[..], &[Delete("T", Some(CLUSTER))]].concat(), &["a 0=h1", "b 0=h2", "U a=6 b=6"]);
    check(
        [&two[..], &[Delete("T", Some("other")), Delete("X", None)]].concat(),
        &["a 0=h1", "b 0=h2", "T a=6 b=6", "U a=6 b=6"],
    );
    check(
        [Single("T", "a"), register("a", 0, "h1", 1), Single("X", "a")],
        &["T on a ignored", "a 0=h1", "T a=6", "U a=6", "X a=6"],
    );
}

#[test]
fn a_registration_may_drop_the_topics_it_does_not_name() {
    let rules = Rules { delete_topic_with_registration: true, ..Rules::default() };
    let steps = [
        register("a", 0, "h1", 1),
        register("b", 0, "h2", 2),
        register("a", 0, "h1", 1).topics(&["U", "V"]).version(0, 2),
    ];
    check_with(rules, Limits::default(), steps, &["a 0=h1", "b 0=h2", "T b=6", "U a=6 b=6", "V a=6"]);
}

#[test]
fn a_slave_acts_as_master_when_there_is_none() {
    let pair = [register("a", 0, "h0", 1).acting(Some(true)), register("a", 1, "h1", 2).acting(Some(true))];
    let master = "a:1 master h0 h0-ha";
    check_acting(
        [&pair[..], &[Close(1), Route("T")]].concat(),
        &[
            master,
            "a:0 gone",
            "tell h1 that a:1 at h1 is lowest, off Some(\"h0\"), ha None",
            "route T: [{0: \"h1\"}]",
            "a 1=h1",
            "T a=4",
            "U a=4",
        ],
    );
    // The slave goes: the master stays as it is, and nobody is told.
    check_acting(
        [&pair[..], &[Close(2), Route("T")]].concat(),
        &[master, "a:1 gone", "route T: [{0: \"h0\"}]", "a 0=h0", "T a=6", "U a=6"],
    );
    // The master comes back: it can be written again and the slave is told.
    check_acting(
        [&pair[..], &[Close(1), register("a", 0, "h0", 3).acting(Some(true)), Route("T")]].concat(),
        &[
            master,
            "a:0 gone",
            "tell h1 that a:1 at h1 is lowest, off Some(\"h0\"), ha None",
            "tell h1 that a:0 at h0 is lowest, off None, ha Some(\"h0-ha\")",
            "route T: [{0: \"h0\", 1: \"h1\"}]",
            "a 0=h0 1=h1",
            "T a=6",
            "U a=6",
        ],
    );
    // Without the group's consent, or without the NameServer's, the slave stays a slave.
    check_acting([register("a", 1, "h1", 1), Route("T")], &["route T: [{1: \"h1\"}]", "a 1=h1", "T a=6", "U a=6"]);
    check(
        [&pair[..], &[Close(1), Route("T"), Route("X")]].concat(),
        &[master, "a:0 gone", "route T: [{1: \"h1\"}]", "no route to X", "a 1=h1", "T a=4", "U a=4"],
    );
}

#[test]
fn the_table_is_bounded() {
    let check =
        |limits, steps: &[Step], expected| check_with(Rules::default(), limits, steps.iter().cloned(), expected);
    let two = [register("a", 0, "h1", 1), register("b", 0, "h2", 2)];
    check(Limits { members: 1, queues: 9 }, &two, &["b:0 TooManyBrokers { limit: 1 }", "a 0=h1", "T a=6", "U a=6"]);
    check(Limits { members: 9, queues: 3 }, &two, &["b:0 TooManyQueues { limit: 3 }", "a 0=h1", "T a=6", "U a=6"]);
    // Who is in may refresh.
    let again = [register("a", 0, "h1", 1), register("a", 0, "h1", 1).version(0, 2), Single("T", "a")];
    check(Limits { members: 1, queues: 2 }, &again, &["T on a ignored", "a 0=h1", "T a=6", "U a=6"]);
    check(Limits::default(), &[register("", 0, "h1", 1)], &[":0 BadName { what: \"brokerName\", len: 0 }"]);
    check(Limits::default(), &[register("a", -1, "h1", 1)], &["a:-1 BadId { id: BrokerId(-1) }"]);
}

#[test]
fn a_zone_keeps_its_own_brokers_and_those_without_master() {
    let mut table = Table::new(Limits::default());
    let brokers = [("near", 0, Some("z1")), ("far", 0, Some("z2")), ("nowhere", 0, None), ("orphan", 1, Some("z2"))];
    for (name, id, zone) in brokers {
        let registration = registration(name, id, &format!("{name}-host"), (0, 1), Some(false), &["T", "U"]);
        let registration = Registration { zone: zone.map(str::to_owned), ..registration };
        let registered = table.register(registration, ConnectionId(1), Duration::ZERO, &Rules::default());
        assert!(registered.is_ok(), "{registered:?}");
    }
    let mut route = table.route("T", None, &Rules::default()).expect("it has brokers");
    keep_zone(&mut route, "Z1");
    let brokers: Vec<_> = route.broker_datas.iter().map(|broker| broker.broker_name.as_str()).collect();
    let queues: Vec<_> = route.queue_datas.iter().map(|queues| queues.broker_name.as_str()).collect();
    assert_eq!((brokers, queues), (vec!["near", "orphan"], vec!["near", "orphan"]));
}

#[test]
fn lists_name_topics_by_cluster_unit_and_system() {
    let mut table = Table::new(Limits::default());
    for (cluster, name, flag) in [("c1", "a", 1), ("c2", "b", 3), ("c2", "d", 2)] {
        let topic = format!("T-{name}");
        let mut registration = registration(name, 0, &format!("{name}-host"), (0, 1), None, &["Shared", &topic]);
        registration.cluster = cluster.into();
        registration.topics.get_mut(&topic).expect("just made").topic_sys_flag = flag;
        let registered = table.register(registration, ConnectionId(1), Duration::ZERO, &Rules::default());
        assert!(registered.is_ok(), "{registered:?}");
    }
    let lists = [
        table.topic_names(),
        table.topics_of_cluster("c2"),
        table.topics_of_cluster("c3"),
        table.unit_topics(UnitTopics::Unit),
        table.unit_topics(UnitTopics::Subscribed),
        table.unit_topics(UnitTopics::SubscribedOutside),
        table.system_topics().0,
    ];
    assert_eq!(
        lists.map(|list| Vec::from_iter(list).join(" ")),
        ["Shared T-a T-b T-d", "Shared T-b T-d", "", "T-a T-b", "T-b T-d", "T-d", "a b c1 c2 d",]
    );
    assert_eq!(table.system_topics().1.as_deref(), Some("a-host"));
    let (brokers, clusters) = table.clusters();
    assert_eq!(brokers.into_keys().collect::<Vec<_>>(), ["a", "b", "d"]);
    assert_eq!(
        clusters,
        BTreeMap::from([("c1".into(), ["a".into()].into()), ("c2".into(), ["b".into(), "d".into()].into())])
    );
}

fn any_step() -> impl Strategy<Value = Step> {
    let name = prop_oneof![Just("a"), Just("b"), Just("c")];
    let address = prop_oneof![Just("h1"), Just("h2"), Just("h3")];
    let topic = prop_oneof![Just("T"), Just("U"), Just("V")];
    let topics = prop_oneof![Just(&["T", "U"][..]), Just(&["U", "V"][..]), Just(&["V"][..]), Just(&[][..])];
    let acting = prop_oneof![Just(None), Just(Some(false)), Just(Some(true))];
    let registration = (name.clone(), 0..3i64, address.clone(), 0..3u64, (0..2i64, 0..3i64), acting, topics).prop_map(
        |(name, id, address, connection, version, acting, topics)| Register {
            name,
            id,
            address,
            connection,
            version,
            acting,
            topics,
        },
    );
    prop_oneof![
        6 => registration,
        1 => (name.clone(), address.clone()).prop_map(|(name, address)| Unregister(name, address)),
        1 => (0..3u64).prop_map(Close),
        1 => (0..130u64).prop_map(Silence),
        1 => (name.clone(), address).prop_map(|(name, address)| Heartbeat(name, address)),
        1 => (topic.clone(), prop_oneof![Just(None), Just(Some(CLUSTER))]).prop_map(|(topic, cluster)| Delete(topic, cluster)),
        1 => (name.clone(), prop_oneof![Just(WritePermission::Wipe), Just(WritePermission::Add)])
            .prop_map(|(name, what)| Permission(name, what)),
        1 => (topic.clone(), name).prop_map(|(topic, name)| Single(topic, name)),
        1 => topic.prop_map(Route),
    ]
}

proptest! {
    /// `Story::step` checks the table after every event; in the end everybody leaves and nothing may be left.
    #[test]
    fn any_order_of_events_keeps_the_table_consistent(
        steps in proptest::collection::vec(any_step(), 1..60),
        rules in prop_oneof![Just(Rules::default()), Just(ACTING), Just(Rules { delete_topic_with_registration: true, ..ACTING })],
        limits in prop_oneof![Just(Limits::default()), Just(Limits { members: 3, queues: 4 })],
    ) {
        let mut story = Story::new(rules, limits);
        for step in steps {
            story.step(step);
        }
        for connection in 0..3 {
            story.step(Close(connection));
        }
        story.told.clear();
        prop_assert_eq!(story.picture(), Vec::<String>::new());
    }

    /// Answers at one revision are the same: whatever changes a route changes the revision.
    #[test]
    fn a_changed_route_has_a_new_revision(steps in proptest::collection::vec(any_step(), 1..60)) {
        let mut story = Story::new(ACTING, Limits::default());
        for step in steps {
            let before = (story.table.revision(), ["T", "U", "V"].map(|topic| story.table.route(topic, None, &ACTING)));
            story.step(step.clone());
            let after = (story.table.revision(), ["T", "U", "V"].map(|topic| story.table.route(topic, None, &ACTING)));
            prop_assert!(before.1 == after.1 || before.0 != after.0, "{:?} changed a route unnoticed", step);
        }
    }
}
