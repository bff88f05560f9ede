//! The body of a registration (103), as JSON or compressed (`RegisterBrokerBody`).
//!
//! ```text
//! zlib of: length i32, DataVersion JSON | topics i32, (length i32, "name read write perm FILTER_TYPE {attributes}")*
//!   | length i32, filter servers JSON | from version 5.0.0 on: mappings i32, (length i32, TopicQueueMappingInfo JSON)*
//! ```
//!
//! Invariant: at most [`INFLATED_MAX`] bytes come out of a compressed body, and no length in it is believed before its bytes
//! are there.

use std::collections::BTreeMap;
use std::io::{Read, Write};

use flate2::Compression;
use flate2::read::ZlibDecoder;
use flate2::write::ZlibEncoder;
use serde::{Deserialize, Serialize};

use super::static_topic::TopicQueueMappingInfo;
use super::topic::{TopicConfig, TopicConfigAndMapping, TopicFilterType};
use crate::protocol::codes::version;
use crate::protocol::json::{self, JsonError};

/// Most bytes of a registration after decompression: 64 MiB, some 500,000 topics.
pub const INFLATED_MAX: u64 = 64 << 20;

/// Java: `RegisterBrokerBody`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RegisterBrokerBody {
    /// Addresses of filter servers; empty today.
    pub filter_server_list: Vec<String>,
    /// The topics.
    pub topic_config_serialize_wrapper: TopicConfigAndMapping,
}

/// Why a registration cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum RegisterError {
    /// A JSON part.
    #[error(transparent)]
    Json(#[from] JsonError),
    /// Not zlib.
    #[error("compressed registration: {0}")]
    Inflate(std::io::Error),
    /// More than [`INFLATED_MAX`].
    #[error("compressed registration: more than {limit} bytes")]
    TooLong {
        /// Most bytes, [`INFLATED_MAX`].
        limit: u64,
    },
    /// A part does not end within the body.
    #[error("compressed registration: {part} of length {length} with {left} bytes left")]
    Length {
        /// Which part.
        part: &'static str,
        /// The length as read.
        length: i32,
        /// Bytes left.
        left: usize,
    },
    /// A topic's line.
    #[error("compressed registration: topic {0:?}")]
    Topic(String),
}

impl RegisterBrokerBody {
    /// Reads a body of a broker of `sender_version`; an empty body is an empty registration, as in Java.
    ///
    /// # Errors
    /// The body cannot be read; the broker gets code 1.
    pub fn decode(body: &[u8], compressed: bool, sender_version: i32) -> Result<RegisterBrokerBody, RegisterError> {
        if body.is_empty() {
            return Ok(RegisterBrokerBody::default());
        }
        if !compressed {
            return Ok(json::from_java(body)?);
        }
        let inflated = inflate(body, INFLATED_MAX)?;
        read_parts(&inflated, sender_version)
    }

    /// Writes the JSON form, which every version reads.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        json::to_java(self)
    }

    /// Writes the compressed form; `order` and `topicSysFlag` of topics are not in it.
    ///
    /// # Errors
    /// A part is longer than 2 GiB.
    pub fn encode_compressed(&self) -> Result<Vec<u8>, RegisterError> {
        let wrapper = &self.topic_config_serialize_wrapper;
        let mut out = ZlibEncoder::new(Vec::new(), Compression::best());
        let mut write = |bytes: &[u8]| out.write_all(bytes).map_err(RegisterError::Inflate);
        write(&part("data version", &json::to_java(&wrapper.data_version))?)?;
        write(&length("topics", wrapper.topic_config_table.len())?)?;
        for topic in wrapper.topic_config_table.values() {
            write(&part("topic", topic_line(topic).as_bytes())?)?;
        }
        write(&part("filter servers", &json::to_java(&self.filter_server_list))?)?;
        write(&length("mappings", wrapper.topic_queue_mapping_info_map.len())?)?;
        for info in wrapper.topic_queue_mapping_info_map.values() {
            write(&part("mapping", &json::to_java(info))?)?;
        }
        out.finish().map_err(RegisterError::Inflate)
    }
}

/// Decompresses at most `limit` bytes.
pub(super) fn inflate(body: &[u8], limit: u64) -> Result<Vec<u8>, RegisterError> {
    let mut inflated = Vec::new();
    ZlibDecoder::new(body).take(limit + 1).read_to_end(&mut inflated).map_err(RegisterError::Inflate)?;
    if inflated.len() as u64 > limit { Err(RegisterError::TooLong { limit }) } else { Ok(inflated) }
}

fn length(part: &'static str, length: usize) -> Result<[u8; 4], RegisterError> {
    let length = i32::try_from(length).map_err(|_| RegisterError::Length { part, length: i32::MAX, left: length })?;
    Ok(length.to_be_bytes())
}

fn part(name: &'static str, bytes: &[u8]) -> Result<Vec<u8>, RegisterError> {
    Ok([&length(name, bytes.len())?, bytes].concat())
}

fn read_parts(inflated: &[u8], sender_version: i32) -> Result<RegisterBrokerBody, RegisterError> {
    let mut parts = Parts { rest: inflated };
    let mut body = RegisterBrokerBody::default();
    let wrapper = &mut body.topic_config_serialize_wrapper;
    wrapper.data_version = json::from_java(parts.part("data version")?)?;
    for _ in 0..parts.number("topics")? {
        let line = String::from_utf8_lossy(parts.part("topic")?);
        let topic = read_topic_line(&line).ok_or_else(|| RegisterError::Topic(line.chars().take(200).collect()))?;
        wrapper.topic_config_table.insert(topic.topic_name.clone(), topic);
    }
    body.filter_server_list = json::from_java(parts.part("filter servers")?).unwrap_or_default();
    if sender_version >= version::V5_0_0 {
        for _ in 0..parts.number("mappings")? {
            let info: TopicQueueMappingInfo = json::from_java(parts.part("mapping")?)?;
            if let Some(topic) = info.topic.clone() {
                wrapper.topic_queue_mapping_info_map.insert(topic, info);
            }
        }
    }
    Ok(body)
}

struct Parts<'p> {
    rest: &'p [u8],
}

impl<'p> Parts<'p> {
    fn number(&mut self, part: &'static str) -> Result<i32, RegisterError> {
        let (number, rest) =
            self.rest.split_first_chunk().ok_or(RegisterError::Length { part, length: 4, left: self.rest.len() })?;
        self.rest = rest;
        Ok(i32::from_be_bytes(*number))
    }

    fn part(&mut self, part: &'static str) -> Result<&'p [u8], RegisterError> {
        let length = self.number(part)?;
        let split = usize::try_from(length).ok().and_then(|length| self.rest.split_at_checked(length));
        let (bytes, rest) = split.ok_or(RegisterError::Length { part, length, left: self.rest.len() })?;
        self.rest = rest;
        Ok(bytes)
    }
}

/// `TopicConfig.encode`.
fn topic_line(topic: &TopicConfig) -> String {
    let attributes = String::from_utf8_lossy(&json::to_java(&topic.attributes)).into_owned();
    let TopicConfig { topic_name, read_queue_nums, write_queue_nums, perm, topic_filter_type, .. } = topic;
    let filter_type = topic_filter_type.name();
    format!("{topic_name} {read_queue_nums} {write_queue_nums} {perm} {filter_type} {attributes}")
}

/// `TopicConfig.decode`; attributes that cannot be read (a blank within them, to Java) are left out.
fn read_topic_line(line: &str) -> Option<TopicConfig> {
    let mut words = line.splitn(6, ' ');
    Some(TopicConfig {
        topic_name: words.next()?.to_owned(),
        read_queue_nums: words.next()?.parse().ok()?,
        write_queue_nums: words.next()?.parse().ok()?,
        perm: words.next()?.parse().ok()?,
        topic_filter_type: TopicFilterType::from_name(words.next()?)?,
        attributes: words
            .next()
            .and_then(|attributes| json::from_java::<BTreeMap<_, _>>(attributes.as_bytes()).ok())
            .unwrap_or_default(),
        ..TopicConfig::default()
    })
}
