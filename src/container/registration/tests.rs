//! The plan as a story: events in, calls out.

use std::time::Duration;

use super::plan::{Call, Now, Outcome, Plan, What};
use super::{Heartbeat, Registration};
use crate::broker::Upstream;
use crate::protocol::body::register::RegisterBrokerBody;
use crate::protocol::ids::{BrokerId, BrokerIdentity, Millis};

enum Event {
    /// Seconds pass.
    Wait(u64),
    Update(&'static str),
    /// A broker that asks before it registers.
    UpdateAsking(&'static str),
    /// A broker with heartbeats every second.
    UpdateBeating(&'static str),
    Remove(&'static str),
    Forget(&'static str),
    NameServers(&'static [&'static str]),
    Ended(&'static str, &'static str, Outcome),
    Lost(&'static str),
}

use Event::{Ended, Forget, Lost, NameServers, Remove, Update, UpdateAsking, UpdateBeating, Wait};

fn done(server: &'static str, broker: &'static str) -> Event {
    Ended(server, broker, Outcome::Done)
}

fn failed(server: &'static str, broker: &'static str) -> Event {
    Ended(server, broker, Outcome::Unreachable("refused".into()))
}

fn identity(name: &str) -> BrokerIdentity {
    BrokerIdentity { cluster: "c".into(), name: name.into(), id: BrokerId(0) }
}

fn registration(name: &str) -> Registration {
    Registration {
        identity: identity(name),
        address: format!("{name}:1"),
        ha_address: format!("{name}:2"),
        zone: None,
        acting_master: false,
        heartbeat: None,
        period: Duration::from_secs(30),
        timeout: Duration::from_secs(24),
        force: true,
        body: RegisterBrokerBody::default(),
    }
}

fn show(call: &Call) -> String {
    format!("{:?} {} at {}", call.what, call.registrant.registration.identity.name, call.server)
}

/// After each event, what is to be sent then; in the end which broker is registered where.
fn check(events: impl IntoIterator<Item = Event>, expected: &[&[&str]], registered: &[&str]) {
    let mut plan = Plan::default();
    let mut seconds = 100;
    let mut sent = Vec::new();
    for event in events {
        let now = Now { monotonic: Duration::from_secs(seconds), wall: Millis(0) };
        match event {
            Wait(wait) => seconds += wait,
            Update(name) => {
                plan.update(registration(name), now);
            }
            UpdateAsking(name) => {
                plan.update(Registration { force: false, ..registration(name) }, now);
            }
            UpdateBeating(name) => {
                let heartbeat = Heartbeat { every: Duration::from_secs(1), timeout: Duration::from_secs(10) };
                plan.update(Registration { heartbeat: Some(heartbeat), ..registration(name) }, now);
            }
            Remove(name) => plan.remove(&identity(name)),
            Forget(name) => plan.forget(&identity(name)),
            NameServers(list) => {
                plan.set_name_servers(&list.iter().map(ToString::to_string).collect::<Vec<_>>(), now);
            }
            Ended(server, broker, outcome) => {
                plan.ended(server, &identity(broker), outcome, now);
            }
            Lost(server) => plan.connection_lost(server, now),
        }
        let now = Now { monotonic: Duration::from_secs(seconds), wall: Millis(0) };
        sent.push(plan.due(now).iter().map(show).collect::<Vec<_>>());
        assert!(plan.next_due().is_none_or(|due| due > now.monotonic), "something due was not sent");
    }
    assert_eq!(sent, expected);
    let standing = plan.status().into_iter().flat_map(|status| {
        status.registered.into_iter().map(move |identity| format!("{} at {}", identity.name, status.address))
    });
    assert_eq!(standing.collect::<Vec<_>>(), registered);
}

#[test]
fn each_name_server_is_told_and_none_waits_for_another() {
    check(
        [NameServers(&["n1", "n2"]), Update("a"), done("n2", "a"), Wait(31), done("n2", "a"), done("n1", "a")],
        &[&[], &["Register a at n1", "Register a at n2"], &[], &["Register a at n2"], &[], &[]],
        &["a at n1", "a at n2"],
    );
}

#[test]
fn changes_during_a_call_join_into_the_next() {
    check(
        [NameServers(&["n"]), Update("a"), Update("a"), Update("a"), done("n", "a"), done("n", "a")],
        &[&[], &["Register a at n"], &[], &[], &["Register a at n"], &[]],
        &["a at n"],
    );
}

#[test]
fn a_name_server_that_fails_is_tried_again_with_pauses_that_grow() {
    check(
        [
            NameServers(&["n"]),
            Update("a"),
            failed("n", "a"),
            Update("a"),
            Wait(1),
            failed("n", "a"),
            Wait(1),
            Wait(1),
            Ended("n", "a", Outcome::Refused("code 1".into())),
            Wait(4),
            done("n", "a"),
        ],
        &[
            &[],
            &["Register a at n"],
            &[],
            &[],
            &["Register a at n"],
            &[],
            &[],
            &["Register a at n"],
            &[],
            &["Register a at n"],
            &[],
        ],
        &["a at n"],
    );
}

#[test]
fn a_name_server_that_forgot_us_is_told_at_once() {
    check(
        [NameServers(&["n", "m"]), Update("a"), done("n", "a"), done("m", "a"), Lost("n")],
        &[&[], &["Register a at m", "Register a at n"], &[], &[], &["Register a at n"]],
        &["a at m"],
    );
}

#[test]
fn a_broker_that_asks_first_registers_only_what_changed() {
    let start = || [NameServers(&["n"]), UpdateAsking("a"), done("n", "a"), Wait(30)];
    check(
        start().into_iter().chain([Ended("n", "a", Outcome::Changed(false)), Wait(30)]),
        &[&[], &["Register a at n"], &[], &["Query a at n"], &[], &["Query a at n"]],
        &["a at n"],
    );
    check(
        start().into_iter().chain([Ended("n", "a", Outcome::Changed(true)), done("n", "a")]),
        &[&[], &["Register a at n"], &[], &["Query a at n"], &["Register a at n"], &[]],
        &["a at n"],
    );
    check(
        start().into_iter().chain([UpdateAsking("a"), Ended("n", "a", Outcome::Changed(false))]),
        &[&[], &["Register a at n"], &[], &["Query a at n"], &[], &["Register a at n"]],
        &["a at n"],
    );
}

#[test]
fn heartbeats_go_between_registrations_and_only_to_who_knows_the_broker() {
    check(
        [
            NameServers(&["n", "m"]),
            UpdateBeating("a"),
            done("n", "a"),
            Wait(1),
            done("n", "a"),
            Wait(1),
            failed("n", "a"),
            Wait(1),
        ],
        &[
            &[],
            &["Register a at m", "Register a at n"],
            &[],
            &["Heartbeat a at n"],
            &[],
            &["Heartbeat a at n"],
            &[],
            &["Register a at n"],
        ],
        &[],
    );
}

#[test]
fn a_broker_that_leaves_is_unregistered_where_it_may_be_registered() {
    check(
        [
            NameServers(&["n", "m", "o"]),
            Update("a"),
            done("n", "a"),
            failed("o", "a"),
            Remove("a"),
            done("m", "a"),
            done("n", "a"),
            failed("m", "a"),
            Wait(100),
        ],
        &[
            &[],
            &["Register a at m", "Register a at n", "Register a at o"],
            &[],
            &[],
            &["Unregister a at n"],
            &["Unregister a at m"],
            &[],
            &[],
            &[],
        ],
        &[],
    );
    // It comes back while it leaves: the registration follows the unregistration.
    check(
        [NameServers(&["n"]), Update("a"), done("n", "a"), Remove("a"), Update("a"), done("n", "a"), done("n", "a")],
        &[&[], &["Register a at n"], &[], &["Unregister a at n"], &[], &["Register a at n"], &[]],
        &["a at n"],
    );
    check(
        [NameServers(&["n"]), Update("a"), Remove("a"), Forget("a"), done("n", "a"), Wait(100)],
        &[&[], &["Register a at n"], &[], &[], &[], &[]],
        &[],
    );
}

#[test]
fn the_list_of_name_servers_may_change() {
    check(
        [
            NameServers(&["n", "m"]),
            Update("a"),
            done("n", "a"),
            NameServers(&["m", "o"]),
            done("n", "a"),
            done("o", "a"),
        ],
        &[&[], &["Register a at m", "Register a at n"], &[], &["Register a at o"], &[], &[]],
        &["a at o"],
    );
    check([Update("a"), NameServers(&["n"]), NameServers(&[])], &[&[], &["Register a at n"], &[]], &[]);
}

#[test]
fn an_update_is_settled_when_every_name_server_has_it_or_is_known_to_fail() {
    let now = Now { monotonic: Duration::from_secs(1), wall: Millis(0) };
    let mut plan = Plan::default();
    plan.set_name_servers(&["n".into(), "m".into()], now);
    let revision = plan.update(registration("a"), now);
    assert_eq!(plan.due(now).iter().map(|call| call.what).collect::<Vec<_>>(), [What::Register, What::Register]);
    assert!(!plan.is_settled(&identity("a"), revision));
    plan.ended("n", &identity("a"), Outcome::Done, now);
    assert!(!plan.is_settled(&identity("a"), revision));
    plan.ended("m", &identity("a"), Outcome::Unreachable("refused".into()), now);
    assert!(plan.is_settled(&identity("a"), revision));
    let next = plan.update(registration("a"), now);
    assert!(!plan.is_settled(&identity("a"), next));
}

/// A slave registers; each answer of a NameServer may name a master. Returns what is sent, and the master in the end.
fn slave_story(answers: &[(&'static str, Option<&str>, u64)]) -> (Vec<String>, Option<Upstream>) {
    let mut plan = Plan::default();
    let (mut seconds, mut sent) = (100, Vec::new());
    let id = BrokerId(1);
    let slave = BrokerIdentity { id, ..identity("a") };
    let now = |seconds| Now { monotonic: Duration::from_secs(seconds), wall: Millis(0) };
    plan.set_name_servers(&["n".into(), "m".into()], now(seconds));
    plan.update(Registration { identity: slave.clone(), force: false, ..registration("a") }, now(seconds));
    for (server, master, wait) in answers {
        sent.extend(plan.due(now(seconds)).iter().map(show));
        let named = |name: &str| Upstream {
            address: Some(name.to_owned()),
            ha_address: Some(format!("{name}-ha")),
            door: None,
        };
        plan.ended(server, &slave, master.map_or(Outcome::Done, |name| Outcome::Master(named(name))), now(seconds));
        seconds += wait;
    }
    sent.extend(plan.due(now(seconds)).iter().map(show));
    (sent, plan.masters().get(&slave).cloned())
}

#[test]
fn a_slave_learns_its_master_and_asks_soon_again_while_there_is_none() {
    let check = |answers: &[(&'static str, Option<&str>, u64)], sent: &[&str], master: Option<&str>| {
        let (got, upstream) = slave_story(answers);
        assert_eq!(got, sent);
        assert_eq!(upstream.and_then(|upstream| upstream.address).as_deref(), master);
    };
    let first = ["Register a at m", "Register a at n"];
    check(&[("n", None, 1)], &first, None);
    check(&[("n", None, 2)], &[first[0], first[1], "Register a at n"], None);
    // The newest answer that names one wins, from whichever NameServer; one that names none changes nothing.
    check(&[("n", Some("x"), 0), ("m", Some("y"), 0)], &first, Some("y"));
    check(&[("n", Some("x"), 0), ("m", None, 0)], &first, Some("x"));
    // Who knows its master follows its period again, and a NameServer with its topics is only asked.
    check(&[("n", Some("x"), 29), ("m", Some("x"), 0)], &first, Some("x"));
    check(&[("n", Some("x"), 30), ("m", Some("x"), 0)], &[first[0], first[1], "Query a at n"], Some("x"));
}
