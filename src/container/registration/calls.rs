//! Requests to a NameServer and what their answers mean.

use bytes::Bytes;

use super::Registration;
use super::plan::{Outcome, What};
use crate::broker::Upstream;
use crate::protocol::body::data_version::DataVersion;
use crate::protocol::codes::{request, response};
use crate::protocol::command::Command;
use crate::protocol::headers::namesrv::{
    BrokerHeartbeatRequest, BrokerRequest, QueryDataVersionResponse, RegisterBrokerRequest, RegisterBrokerResponse,
};
use crate::protocol::json;

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
        What::Query => {
            let version = &registration.body.topic_config_serialize_wrapper.data_version;
            Command { body: json::to_java(version).into(), ..about(request::QUERY_DATA_VERSION, registration) }
        }
        What::Unregister => about(request::UNREGISTER_BROKER, registration),
        What::Heartbeat => {
            let mut command = Command { code: request::BROKER_HEARTBEAT, ..Command::default() };
            let header = BrokerHeartbeatRequest {
                cluster_name: &registration.identity.cluster,
                broker_address: &registration.address,
                broker_name: &registration.identity.name,
                broker_id: Some(registration.identity.id),
                epoch: None,
                max_offset: None,
                confirm_offset: None,
                heartbeat_timeout_millis: heartbeat_timeout(registration),
                election_priority: None,
            };
            header.encode(&mut command.ext);
            command
        }
    }
}

fn register(registration: &Registration, body: &EncodedBody) -> Command {
    let mut command = Command { code: request::REGISTER_BROKER, body: body.bytes.clone().into(), ..Command::default() };
    let header = RegisterBrokerRequest {
        broker_name: &registration.identity.name,
        broker_address: &registration.address,
        cluster_name: &registration.identity.cluster,
        ha_server_address: &registration.ha_address,
        broker_id: registration.identity.id,
        heartbeat_timeout_millis: heartbeat_timeout(registration),
        enable_acting_master: Some(registration.acting_master),
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
fn heartbeat_timeout(registration: &Registration) -> Option<i64> {
    registration.heartbeat.map(|heartbeat| i64::try_from(heartbeat.timeout.as_millis()).unwrap_or(i64::MAX))
}

/// What an answer means.
pub(super) fn outcome(what: What, registration: &Registration, answer: &Command) -> Outcome {
    if answer.code != response::SUCCESS {
        return Outcome::Refused(format!("code {}: {}", answer.code, answer.remark.as_deref().unwrap_or("no remark")));
    }
    match what {
        What::Register => return named_master(answer).map_or(Outcome::Done, Outcome::Master),
        What::Heartbeat | What::Unregister => return Outcome::Done,
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
