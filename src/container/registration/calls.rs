//! Requests to a NameServer and what their answers mean.

use bytes::Bytes;

use super::plan::{Outcome, What};
use super::{Membership, Registration};
use crate::broker::{Members, Upstream};
use crate::protocol::body::data_version::DataVersion;
use crate::protocol::body::route::{BrokerMemberGroupBody, TopicRouteData};
use crate::protocol::codes::{request, response};
use crate::protocol::command::Command;
use crate::protocol::headers::namesrv::{
    BrokerHeartbeatRequest, BrokerMemberGroupRequest, BrokerRequest, QueryDataVersionResponse, RegisterBrokerRequest,
    RegisterBrokerResponse, RouteRequest,
};
use crate::protocol::ids::{BrokerId, BrokerIdentity};
use crate::protocol::{json, topic_name};

/// The body of a registration, ready to be sent to every NameServer, with its checksum.
#[derive(Clone, Debug)]
pub(super) struct EncodedBody {
    bytes: Bytes,
    crc32: i32,
}

impl EncodedBody {
    #[expect(clippy::cast_possible_wrap, reason = "the highest bit is cleared, as in Java's UtilAll.crc32")]
    pub(super) fn new(registration: &Registration) -> EncodedBody {
        let bytes = Bytes::from(registration.body.encode());
        let crc32 = (crc32fast::hash(&bytes) & 0x7FFF_FFFF) as i32;
        EncodedBody { bytes, crc32 }
    }
}

/// The request to send.
pub(super) fn command(what: What, registration: &Registration, body: &EncodedBody) -> Command {
    match what {
        What::Register => register(registration, body),
        What::Query => query(registration),
        What::Unregister => about(request::UNREGISTER_BROKER, registration),
        // Whoever is asked for the version of a broker's topics takes that as a sign of life (`sendHeartbeatViaDataVersion`).
        What::Heartbeat if asks_old(registration) => query(registration),
        What::Heartbeat => heartbeat(registration),
        What::Members => members(registration),
    }
}

fn query(registration: &Registration) -> Command {
    let version = &registration.body.topic_config_serialize_wrapper.data_version;
    Command { body: json::to_java(version).into(), ..about(request::QUERY_DATA_VERSION, registration) }
}

fn heartbeat(registration: &Registration) -> Command {
    let mut command = Command { code: request::BROKER_HEARTBEAT, ..Command::default() };
    let header = BrokerHeartbeatRequest {
        cluster_name: &registration.identity.cluster,
        broker_address: &registration.address,
        broker_name: &registration.identity.name,
        broker_id: Some(registration.id),
        epoch: None,
        max_offset: None,
        confirm_offset: None,
        heartbeat_timeout_millis: not_active_timeout(registration),
        election_priority: None,
    };
    header.encode(&mut command.ext);
    command
}

/// Who is in the group (`BrokerOuterAPI.syncBrokerMemberGroup`).
fn members(registration: &Registration) -> Command {
    let identity = &registration.identity;
    if asks_old(registration) {
        let mut command = Command { code: request::GET_ROUTEINFO_BY_TOPIC, ..Command::default() };
        let topic = format!("{}{}", topic_name::SYNC_BROKER_MEMBER_PREFIX, identity.name);
        RouteRequest { topic: &topic, accept_standard_json_only: Some(true) }.encode(&mut command.ext);
        return command;
    }
    let mut command = Command { code: request::GET_BROKER_MEMBER_GROUP, ..Command::default() };
    BrokerMemberGroupRequest { cluster_name: &identity.cluster, broker_name: &identity.name }.encode(&mut command.ext);
    command
}

fn asks_old(registration: &Registration) -> bool {
    registration.group.is_some_and(|group| group.old_name_servers)
}

fn register(registration: &Registration, body: &EncodedBody) -> Command {
    let mut command = Command { code: request::REGISTER_BROKER, body: body.bytes.clone().into(), ..Command::default() };
    let header = RegisterBrokerRequest {
        broker_name: &registration.identity.name,
        broker_address: &registration.address,
        cluster_name: &registration.identity.cluster,
        ha_server_address: &registration.ha_address,
        broker_id: registration.id,
        heartbeat_timeout_millis: not_active_timeout(registration),
        enable_acting_master: Some(registration.group.is_some()),
        compressed: false,
        body_crc32: body.crc32,
        zone_name: registration.zone.as_deref(),
    };
    header.encode(&mut command.ext);
    command
}

fn about(code: i32, registration: &Registration) -> Command {
    let mut command = Command { code, ..Command::default() };
    let header = BrokerRequest {
        broker_name: &registration.identity.name,
        broker_address: &registration.address,
        cluster_name: &registration.identity.cluster,
        broker_id: registration.id,
    };
    header.encode(&mut command.ext);
    command
}

/// Without heartbeats the NameServer's 120 s count.
fn not_active_timeout(registration: &Registration) -> Option<i64> {
    let millis = |group: Membership| i64::try_from(group.not_active_timeout.as_millis()).unwrap_or(i64::MAX);
    registration.group.map(millis)
}

/// What an answer means.
pub(super) fn outcome(what: What, registration: &Registration, answer: &Command) -> Outcome {
    // A topic that no member has registered yet.
    if what == What::Members && answer.code == response::TOPIC_NOT_EXIST && asks_old(registration) {
        return Outcome::Members(Members::default());
    }
    if answer.code != response::SUCCESS {
        return Outcome::Refused(format!("code {}: {}", answer.code, answer.remark.as_deref().unwrap_or("no remark")));
    }
    match what {
        What::Register => return named_master(answer).map_or(Outcome::Done, Outcome::Master),
        What::Heartbeat | What::Unregister => return Outcome::Done,
        What::Members => return known_members(registration, &answer.body.to_bytes()),
        What::Query => {}
    }
    let changed = QueryDataVersionResponse::decode(&answer.ext).map_or(true, |header| header.changed);
    let body = answer.body.to_bytes();
    let known = (!body.is_empty()).then(|| json::from_java::<DataVersion>(&body));
    let ours = &registration.body.topic_config_serialize_wrapper.data_version;
    // Java 4.9 answers without a body when it knows nothing, and with a version it may call unchanged when it is not ours.
    let other = matches!(known, Some(Ok(version)) if version != *ours);
    Outcome::Changed(changed || other)
}

/// The master in the answer to a slave's registration.
fn named_master(answer: &Command) -> Option<Upstream> {
    let header = RegisterBrokerResponse::decode(&answer.ext).ok()?;
    let named = |address: Option<&str>| address.filter(|text| !text.is_empty()).map(str::to_owned);
    let address = named(header.master_address)?;
    Some(Upstream { address: Some(address), ha_address: named(header.ha_server_address), door: None })
}

/// The members in the answer to 901 or 105; a name that belongs to another cluster too is not this group.
fn known_members(registration: &Registration, body: &[u8]) -> Outcome {
    let BrokerIdentity { cluster, name, .. } = &registration.identity;
    let known = if asks_old(registration) {
        json::from_java::<TopicRouteData>(body).map(|route| {
            let group =
                route.broker_datas.into_iter().find(|data| data.broker_name == *name && data.cluster == *cluster);
            group.map(|group| group.broker_addrs).unwrap_or_default()
        })
    } else {
        json::from_java::<BrokerMemberGroupBody>(body).map(|body| body.broker_member_group.broker_addrs)
    };
    match known {
        Ok(known) => Outcome::Members(Members(known.into_iter().map(|(id, at)| (BrokerId(id), at)).collect())),
        Err(error) => Outcome::Refused(format!("its list of members cannot be read: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::protocol::body::register::RegisterBrokerBody;

    fn registration(old_name_servers: bool) -> Registration {
        let group = Membership {
            joining: false,
            heartbeat_every: Duration::from_secs(1),
            not_active_timeout: Duration::from_secs(10),
            member_period: Duration::from_secs(1),
            old_name_servers,
        };
        Registration {
            identity: BrokerIdentity { cluster: "c".into(), name: "a".into(), id: BrokerId(1) },
            id: BrokerId(1),
            address: "h:1".into(),
            ha_address: "h:2".into(),
            zone: None,
            group: Some(group),
            period: Duration::from_secs(30),
            timeout: Duration::from_secs(24),
            force: true,
            body: RegisterBrokerBody::default(),
        }
    }

    #[test]
    fn heartbeats_and_questions_are_such_as_the_name_servers_know() {
        let check = |what, old, code, fields: &[(&str, &str)], has_body| {
            let registration = registration(old);
            let command = command(what, &registration, &EncodedBody::new(&registration));
            let mut got: Vec<_> = command.ext.iter().collect();
            got.sort_unstable();
            let got: Vec<_> = got.into_iter().filter(|(name, _)| *name != "bodyCrc32").collect();
            assert_eq!((command.code, &got[..], !command.body.to_bytes().is_empty()), (code, fields, has_body));
        };
        let about = [("brokerAddr", "h:1"), ("brokerId", "1"), ("brokerName", "a"), ("clusterName", "c")];
        let with = |name, value| {
            let mut fields = [&about[..], &[(name, value)]].concat();
            fields.sort_unstable();
            fields
        };
        check(What::Heartbeat, true, 322, &about, true);
        check(What::Heartbeat, false, 904, &with("heartbeatTimeoutMills", "10000"), false);
        check(What::Members, false, 901, &[("brokerName", "a"), ("clusterName", "c")], false);
        let topic = [("acceptStandardJsonOnly", "true"), ("topic", "rmq_sys_SYNC_BROKER_MEMBER_a")];
        check(What::Members, true, 105, &topic, false);
        let mut register = with("heartbeatTimeoutMillis", "10000");
        register.extend([("compressed", "false"), ("enableActingMaster", "true"), ("haServerAddr", "h:2")]);
        register.sort_unstable();
        check(What::Register, true, 103, &register, true);
    }

    #[test]
    fn a_broker_registers_under_the_id_of_its_role() {
        let check = |id: i64| {
            let registration = Registration { id: BrokerId(id), ..registration(true) };
            let body = EncodedBody::new(&registration);
            for what in [What::Register, What::Query, What::Heartbeat, What::Unregister] {
                let command = command(what, &registration, &body);
                let found = command.ext.iter().find(|(name, _)| *name == "brokerId");
                assert_eq!(found, Some(("brokerId", id.to_string().as_str())), "{what:?}");
            }
        };
        check(0);
        check(3);
    }

    #[test]
    fn an_answer_names_the_members_or_says_why_not() {
        let check = |old, code, body: &'static str, expected: Result<&[i64], &str>| {
            let answer = Command { code, body: Bytes::from_static(body.as_bytes()).into(), ..Command::default() };
            let members = |ids: &[i64]| Members(ids.iter().map(|id| (BrokerId(*id), format!("h{id}:1"))).collect());
            let expected = match expected {
                Ok(ids) => Outcome::Members(members(ids)),
                Err(error) => Outcome::Refused(error.to_owned()),
            };
            assert_eq!(outcome(What::Members, &registration(old), &answer), expected);
        };
        let group = r#"{"brokerMemberGroup":{"brokerAddrs":{0:"h0:1",2:"h2:1"},"brokerName":"a","cluster":"c"}}"#;
        check(false, 0, group, Ok(&[0, 2]));
        check(false, 17, "", Err("code 17: no remark"));
        // An old NameServer knows the group by a topic, which the first member brings along.
        let route = r#"{"brokerDatas":[{"brokerAddrs":{"5":"h5:1"},"brokerName":"a","cluster":"other"},
            {"brokerAddrs":{0:"h0:1",1:"h1:1"},"brokerName":"a","cluster":"c"}],"queueDatas":[]}"#;
        check(true, 0, route, Ok(&[0, 1]));
        check(true, 17, "", Ok(&[]));
        check(true, 0, r#"{"brokerDatas":[]}"#, Ok(&[]));
    }
}
