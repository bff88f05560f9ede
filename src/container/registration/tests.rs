//! The plan as a story: events in, calls out.

use std::time::Duration;

use super::plan::{Call, Now, Outcome, Plan, What};
use super::{Membership, Registration};
use crate::broker::{Members, Upstream};
use crate::protocol::body::register::RegisterBrokerBody;
use crate::protocol::ids::{BrokerId, BrokerIdentity, Millis};

enum Event {
    /// Seconds pass.
    Wait(u64),
    Update(&'static str),
    /// A broker that asks before it registers.
    UpdateAsking(&'static str),
    /// A broker of a group, with a heartbeat every 2 s and a question for members every 3 s; whether it is joining.
    UpdateGroup(&'static str, bool),
    AskMembers(&'static str),
    Remove(&'static str),
    Forget(&'static str),
    NameServers(&'static [&'static str]),
    /// A registration, query or unregistration has ended.
    Ended(&'static str, &'static str, Outcome),
    /// A heartbeat was sent.
    Beat(&'static str, &'static str),
    /// An answer to a question for members: their ids, or none.
    Told(&'static str, &'static str, Option<&'static [i64]>),
    Lost(&'static str),
}

use Event::{
    AskMembers, Beat, Ended, Forget, Lost, NameServers, Remove, Told, Update, UpdateAsking, UpdateGroup, Wait,
};

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
        id: BrokerId(0),
        address: format!("{name}:1"),
        ha_address: format!("{name}:2"),
        zone: None,
        group: None,
        period: Duration::from_secs(30),
        timeout: Duration::from_secs(24),
        force: true,
        body: RegisterBrokerBody::default(),
    }
}

fn show(call: &Call) -> String {
    format!("{:?} {} at {}", call.what, call.registrant.registration.identity.name, call.server)
}

/// A plan, the time, and the calls that wait for their end.
struct Story {
    plan: Plan,
    seconds: u64,
    under_way: Vec<Call>,
}

impl Story {
    fn new() -> Story {
        Story { plan: Plan::default(), seconds: 100, under_way: Vec::new() }
    }

    fn now(&self) -> Now {
        Now { monotonic: Duration::from_secs(self.seconds), wall: Millis(0) }
    }

    fn end(&mut self, server: &str, broker: &str, kinds: &[What], outcome: Outcome) {
        let is_meant = |call: &Call| {
            let name = &call.registrant.registration.identity.name;
            (call.server.as_str(), name.as_str()) == (server, broker) && kinds.contains(&call.what)
        };
        let at = self.under_way.iter().position(is_meant).expect("only what is under way ends");
        let what = self.under_way.remove(at).what;
        self.plan.ended(server, &identity(broker), what, outcome, self.now());
    }

    /// What is sent after an event.
    fn apply(&mut self, event: Event) -> Vec<String> {
        let now = self.now();
        let mut update = |registration| {
            self.plan.update(registration, now);
        };
        match event {
            Wait(wait) => self.seconds += wait,
            Update(name) => update(registration(name)),
            UpdateAsking(name) => update(Registration { force: false, ..registration(name) }),
            UpdateGroup(name, joining) => update(Registration { group: Some(group(joining)), ..registration(name) }),
            AskMembers(name) => self.plan.ask_members(&identity(name), now),
            Remove(name) => self.plan.remove(&identity(name)),
            Forget(name) => self.plan.forget(&identity(name)),
            NameServers(list) => {
                self.plan.set_name_servers(&list.iter().map(ToString::to_string).collect::<Vec<_>>(), now);
            }
            Ended(server, broker, outcome) => {
                self.end(server, broker, &[What::Register, What::Query, What::Unregister], outcome);
            }
            Beat(server, broker) => self.end(server, broker, &[What::Heartbeat], Outcome::Done),
            Told(server, broker, ids) => {
                let unreachable = || Outcome::Unreachable("refused".into());
                self.end(server, broker, &[What::Members], ids.map(members).map_or_else(unreachable, Outcome::Members));
            }
            Lost(server) => self.plan.connection_lost(server, now),
        }
        let calls = self.plan.due(self.now());
        let next = self.plan.next_due();
        assert!(next.is_none_or(|due| due > self.now().monotonic), "something due was not sent");
        let sent = calls.iter().map(show).collect();
        self.under_way.extend(calls);
        sent
    }
}

fn group(joining: bool) -> Membership {
    Membership {
        joining,
        heartbeat_every: Duration::from_secs(2),
        not_active_timeout: Duration::from_secs(10),
        member_period: Duration::from_secs(3),
        old_name_servers: false,
    }
}

fn members(ids: &[i64]) -> Members {
    Members(ids.iter().map(|id| (BrokerId(*id), format!("h{id}:1"))).collect())
}

/// After each event, what is to be sent then; in the end which broker is registered where.
fn check(events: impl IntoIterator<Item = Event>, expected: &[&[&str]], registered: &[&str]) {
    let mut story = Story::new();
    let sent: Vec<_> = events.into_iter().map(|event| story.apply(event)).collect();
    assert_eq!(sent, expected);
    let standing = story.plan.status().into_iter().flat_map(|status| {
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
    let lost = || Ended("n", "a", Outcome::Unreachable("too slow".into()));
    check(
        [
            NameServers(&["n", "m"]),
            UpdateGroup("a", false),
            done("n", "a"),
            Wait(2),
            Beat("n", "a"),
            // A registration that hangs and fails costs no heartbeat; one whose connection is gone does.
            Wait(28),
            Beat("n", "a"),
            Wait(2),
            lost(),
            Beat("n", "a"),
            Wait(1),
            Wait(1),
            Lost("n"),
            Wait(4),
        ],
        &[
            &[],
            &["Register a at m", "Members a at m", "Register a at n", "Members a at n"],
            &[],
            &["Heartbeat a at n"],
            &[],
            &["Register a at n", "Heartbeat a at n"],
            &[],
            &["Heartbeat a at n"],
            &[],
            &[],
            &["Register a at n"],
            &["Heartbeat a at n"],
            &[],
            &[],
        ],
        &[],
    );
}

#[test]
fn a_broker_that_joins_its_group_only_asks_who_is_there() {
    check(
        [
            NameServers(&["n"]),
            UpdateGroup("a", true),
            Told("n", "a", Some(&[])),
            Wait(3),
            // Its topics change, and nobody hears of it.
            UpdateGroup("a", true),
            UpdateGroup("a", false),
            done("n", "a"),
            Remove("a"),
            // It was restarted: first it is unregistered, then it asks again.
            UpdateGroup("a", true),
            done("n", "a"),
        ],
        &[
            &[],
            &["Members a at n"],
            &[],
            &["Members a at n"],
            &[],
            &["Register a at n"],
            &[],
            &["Unregister a at n"],
            &[],
            &["Members a at n"],
        ],
        &[],
    );
    // Asked to leave while its registration was under way.
    check(
        [
            NameServers(&["n"]),
            UpdateGroup("a", false),
            Remove("a"),
            UpdateGroup("a", true),
            done("n", "a"),
            done("n", "a"),
        ],
        &[&[], &["Register a at n", "Members a at n"], &[], &[], &["Unregister a at n"], &["Members a at n"]],
        &[],
    );
}

#[test]
fn a_change_of_the_group_is_asked_for_at_once() {
    check(
        [
            NameServers(&["n"]),
            UpdateGroup("a", true),
            // What is awaited may be older than the change.
            AskMembers("a"),
            Told("n", "a", Some(&[1])),
            Told("n", "a", Some(&[0, 1])),
            AskMembers("a"),
            AskMembers("unknown"),
        ],
        &[&[], &["Members a at n"], &[], &["Members a at n"], &[], &["Members a at n"], &[]],
        &[],
    );
}

#[test]
fn a_member_is_gone_when_every_name_server_that_answers_has_dropped_it() {
    let check = |events: Vec<Event>, expected: Option<&[i64]>| {
        let mut story = Story::new();
        for event in [NameServers(&["n", "m"]), UpdateGroup("a", true)].into_iter().chain(events) {
            story.apply(event);
        }
        assert_eq!(story.plan.members().get(&identity("a")), expected.map(members).as_ref());
    };
    let both = || vec![Told("n", "a", Some(&[0, 1])), Told("m", "a", Some(&[1, 2])), Wait(3)];
    let then = |more: Vec<Event>| both().into_iter().chain(more).collect::<Vec<_>>();
    check(vec![], None);
    check(vec![Told("n", "a", None)], None);
    check(vec![Told("n", "a", Some(&[])), Told("m", "a", None)], Some(&[]));
    check(both(), Some(&[0, 1, 2]));
    check(then(vec![Told("n", "a", Some(&[1]))]), Some(&[1, 2]));
    // What one said that fails now is forgotten; what was known when the last failed stays.
    check(then(vec![Told("n", "a", None)]), Some(&[1, 2]));
    check(then(vec![Told("n", "a", None), Told("m", "a", None)]), Some(&[1, 2]));
    check(then(vec![Told("n", "a", None), Told("m", "a", None), Wait(3), Told("m", "a", Some(&[]))]), Some(&[]));
    check(then(vec![NameServers(&["n"])]), Some(&[0, 1]));
    check(then(vec![Remove("a")]), None);
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
            done("m", "a"),
            NameServers(&["m", "o"]),
            done("n", "a"),
            done("o", "a"),
        ],
        &[&[], &["Register a at m", "Register a at n"], &[], &["Register a at o"], &[], &[]],
        &["a at m", "a at o"],
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
    plan.ended("n", &identity("a"), What::Register, Outcome::Done, now);
    assert!(!plan.is_settled(&identity("a"), revision));
    plan.ended("m", &identity("a"), What::Register, Outcome::Unreachable("refused".into()), now);
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
    plan.update(Registration { identity: slave.clone(), id, force: false, ..registration("a") }, now(seconds));
    for (server, master, wait) in answers {
        sent.extend(plan.due(now(seconds)).iter().map(show));
        let named = |name: &str| Upstream {
            address: Some(name.to_owned()),
            ha_address: Some(format!("{name}-ha")),
            door: None,
        };
        let outcome = master.map_or(Outcome::Done, |name| Outcome::Master(named(name)));
        plan.ended(server, &slave, What::Register, outcome, now(seconds));
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
