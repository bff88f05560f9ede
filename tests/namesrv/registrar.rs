//! Brokers and NameServers that come and go.

use std::collections::BTreeMap;
use std::time::Duration;

use mqcontainer::broker::Members;
use mqcontainer::container::registration::{Membership, NameServerStatus, Registrar, Registration};
use mqcontainer::namesrv::{Numbers, Settings};
use mqcontainer::protocol::codes::request as code;
use mqcontainer::protocol::ids::{BrokerId, BrokerIdentity};

use crate::harness::{DEADLINE, NameServer, World, request, topics};

fn identity(name: &str) -> BrokerIdentity {
    BrokerIdentity { cluster: "c".into(), name: name.into(), id: BrokerId(0) }
}

fn registration(name: &str, version: i64, names: &[&str]) -> Registration {
    Registration {
        identity: identity(name),
        id: BrokerId(0),
        address: format!("{name}:1"),
        ha_address: format!("{name}:2"),
        zone: None,
        group: None,
        period: Duration::from_secs(10),
        timeout: Duration::from_secs(10),
        force: true,
        body: topics(version, names),
    }
}

async fn registered(registrar: &Registrar, wanted: &[(&NameServer, usize)]) {
    let all = |status: &Vec<NameServerStatus>| {
        wanted.iter().all(|(server, brokers)| {
            let address = server.address.to_string();
            status.iter().any(|status| status.address == address && status.registered.len() == *brokers)
        })
    };
    let waited = tokio::time::timeout(DEADLINE, registrar.status_when(all)).await;
    assert!(waited.is_ok(), "{:?}", registrar.status());
}

async fn topics_of(world: &World, server: &NameServer) -> String {
    world.ask(server, request(code::GET_ALL_TOPIC_LIST_FROM_NAMESERVER, &[])).await
}

#[tokio::test]
async fn brokers_are_registered_everywhere_and_an_absent_name_server_delays_nobody() {
    let home = tempfile::tempdir().unwrap();
    let world = World::new();
    let one = world.name_server(home.path(), 0, Settings::default()).await;
    let two = world.name_server(home.path(), 0, Settings::default()).await;
    // A port that was free a moment ago.
    let absent = mqcontainer::remoting::bind(([127, 0, 0, 1], 0).into(), 1).unwrap().local_addr().to_string();
    let list = [one.address.to_string(), absent.clone(), two.address.to_string()];
    let registrar = Registrar::start(&list, &world.env, &world.transport);

    registrar.update(registration("a", 1, &["T", "U"])).await;
    registrar.update_and_wait(registration("b", 1, &["U", "V"])).await;
    registered(&registrar, &[(&one, 2), (&two, 2)]).await;
    let status = registrar.status();
    let absent = status.iter().find(|status| status.address == absent).unwrap();
    assert_eq!((absent.reachable, absent.last_success, absent.registered.len()), (Some(false), None, 0));
    assert!(absent.last_error.is_some());

    // A new topic is there when the wait ends.
    registrar.update_and_wait(registration("a", 2, &["T", "U", "W"])).await;
    for server in [&one, &two] {
        assert_eq!(topics_of(&world, server).await, "0 | {\"topicList\":[\"T\",\"U\",\"V\",\"W\"]}");
    }
    registrar.remove(&identity("a")).await;
    for server in [&one, &two] {
        assert_eq!(topics_of(&world, server).await, "0 | {\"topicList\":[\"U\",\"V\"]}");
    }
    registrar.stop().await;
    for server in [one, two] {
        assert_eq!(topics_of(&world, &server).await, "0 | {\"topicList\":[]}");
        assert_eq!(server.handle.numbers(), Numbers { brokers: 0, topics: 0 });
        server.stop().await;
    }
}

#[tokio::test]
async fn a_name_server_that_restarts_or_joins_is_told_again() {
    let home = tempfile::tempdir().unwrap();
    let world = World::new();
    let first = world.name_server(home.path(), 0, Settings::default()).await;
    let port = first.address.port();
    let registrar = Registrar::start(&[first.address.to_string()], &world.env, &world.transport);
    registrar.update_and_wait(registration("a", 1, &["T", "U"])).await;
    registered(&registrar, &[(&first, 1)]).await;

    first.stop().await;
    let waited = registrar.status_when(|status| status.iter().all(|status| status.reachable == Some(false)));
    tokio::time::timeout(DEADLINE, waited).await.unwrap();
    let again = world.name_server(home.path(), port, Settings::default()).await;
    registered(&registrar, &[(&again, 1)]).await;

    let joined = world.name_server(home.path(), 0, Settings::default()).await;
    registrar.set_name_servers(vec![joined.address.to_string()]).await;
    registered(&registrar, &[(&joined, 1)]).await;
    assert_eq!(registrar.status().len(), 1);
    assert_eq!(topics_of(&world, &joined).await, "0 | {\"topicList\":[\"T\",\"U\"]}");
    registrar.stop().await;
    again.stop().await;
    joined.stop().await;
}

#[tokio::test]
async fn a_process_that_dies_takes_all_its_brokers_out_of_the_routes() {
    let home = tempfile::tempdir().unwrap();
    let world = World::new();
    let server = world.name_server(home.path(), 0, Settings::default()).await;
    let container = World::new();
    let registrar = Registrar::start(&[server.address.to_string()], &container.env, &container.transport);
    for name in ["a", "b", "c"] {
        registrar.update_and_wait(registration(name, 1, &["T", "U"])).await;
    }
    registered(&registrar, &[(&server, 3)]).await;
    // Connections close without a word, as when the process dies.
    container.env.tasks.cancel();
    let gone = async {
        while topics_of(&world, &server).await != "0 | {\"topicList\":[]}" {
            tokio::task::yield_now().await;
        }
    };
    assert!(tokio::time::timeout(DEADLINE, gone).await.is_ok(), "some brokers stayed");
    server.stop().await;
}

/// A member of group `a` that asks for the others once an hour, unless it is told to.
fn member(id: i64, joining: bool, old_name_servers: bool) -> Registration {
    let group = Membership {
        joining,
        heartbeat_every: Duration::from_secs(1),
        not_active_timeout: Duration::from_secs(10),
        member_period: Duration::from_secs(3_600),
        old_name_servers,
    };
    let topics = ["T", "rmq_sys_SYNC_BROKER_MEMBER_a"];
    Registration {
        identity: BrokerIdentity { id: BrokerId(id), ..identity("a") },
        id: BrokerId(id),
        address: format!("a{id}:1"),
        group: Some(group),
        ..registration("a", 1, &topics)
    }
}

async fn until_members(registrar: &Registrar, of: &Registration, ids: &[i64]) {
    let mut known = registrar.members();
    let expected: BTreeMap<_, _> = ids.iter().map(|id| (BrokerId(*id), format!("a{id}:1"))).collect();
    let waiting = async {
        loop {
            registrar.ask_members(&of.identity);
            if known.borrow_and_update().get(&of.identity) == Some(&Members(expected.clone())) {
                return;
            }
            tokio::task::yield_now().await;
        }
    };
    let waited = tokio::time::timeout(DEADLINE, waiting).await;
    assert!(waited.is_ok(), "wanted {ids:?}: {:?}", registrar.members().borrow());
}

#[tokio::test]
async fn members_of_a_group_find_each_other_in_both_ways() {
    for old_name_servers in [false, true] {
        let home = tempfile::tempdir().unwrap();
        let world = World::new();
        // The second shows a slave as master, but not to those who ask for the group.
        let mut settings = Settings::default();
        settings.rules.support_acting_master = true;
        let one = world.name_server(home.path(), 0, Settings::default()).await;
        let two = world.name_server(home.path(), 0, settings).await;
        let list = [one.address.to_string(), two.address.to_string()];
        let registrar = Registrar::start(&list, &world.env, &world.transport);
        let member = |id, joining| member(id, joining, old_name_servers);

        let slave = member(1, true);
        registrar.update(slave.clone()).await;
        until_members(&registrar, &slave, &[]).await;
        assert_eq!(one.handle.numbers().brokers, 0);
        registrar.update_and_wait(member(1, false)).await;
        until_members(&registrar, &slave, &[1]).await;
        registrar.update_and_wait(member(0, false)).await;
        until_members(&registrar, &slave, &[0, 1]).await;
        registrar.remove(&member(0, false).identity).await;
        until_members(&registrar, &slave, &[1]).await;

        // The last answer stays when nobody answers any more.
        one.stop().await;
        two.stop().await;
        until_members(&registrar, &slave, &[1]).await;
        registrar.stop().await;
    }
}
