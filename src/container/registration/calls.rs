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
        broker_id: Some(registration.identity.id),
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
        broker_id: registration.identity.id,
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
        broker_id: registration.identity.id,
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
