//! The stored record: one message as it lies in the commit log and goes out with every pull.
//!
//! ```text
//!   0 total size i32   4 magic i32    8 body crc i32   12 queue id i32   16 flag i32   20 queue offset i64
//!  28 physical offset i64   36 sys flag i32   40 born timestamp i64   48 born host 8|20
//!   . store timestamp i64   store host 8|20   reconsume times i32   prepared transaction offset i64
//!   . body length i32, body | topic length u8 (V1) or i16 (V2), topic | properties length i16, properties
//! ```
//!
//! A host is an address of 4 or 16 bytes and a port i32. At the end of a file stands `remaining i32, BLANK_MAGIC` and nothing of meaning.
//! Follows `MessageExtEncoder`, `CommitLog.checkMessageAndReturnSize` and `MessageDecoder`.
//!
//! Invariants: a view borrows, nothing is copied; a record is only a record if its parts add up to its total size.
//! Must not know files: how far a log goes and what to do with a bad record is the store's business.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use bytes::{BufMut, BytesMut};

use super::ids::{Millis, PhysicalOffset, QueueId, QueueOffset};
use super::sys_flag::{BORN_HOST_V6, STORE_HOST_V6};
use super::{message_id, properties};

/// Magic of records whose topic length takes one (signed) byte.
pub const MAGIC_V1: i32 = 0xDAA3_20A7_u32 as i32;
/// Magic of records whose topic length takes two bytes; used for topics over 127 bytes.
pub const MAGIC_V2: i32 = 0xDAA3_20AB_u32 as i32;
/// Magic of the filler at the end of a file.
pub const BLANK_MAGIC: i32 = 0xCBD4_3194_u32 as i32;
/// Bytes of the filler that have a meaning: its size and its magic.
pub const BLANK_SIZE: usize = 8;
/// Smallest record: IPv4 hosts, no body, topic or properties.
pub const RECORD_SIZE_MIN: usize = 91;

const QUEUE_OFFSET_AT: usize = 20;
const PHYSICAL_OFFSET_AT: usize = 28;
const SYS_FLAG_AT: usize = 36;
const BORN_HOST_AT: usize = 48;
const TOPIC_LENGTH_V1_MAX: usize = 127;

/// Why bytes are not a record.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// The record goes on behind the bytes that are there.
    #[error("a record of {needed} bytes, {available} are there")]
    NeedMore {
        /// Bytes of the record; 8 when its size is not known yet.
        needed: usize,
        /// Bytes there.
        available: usize,
    },
    /// The filler at the end of a file.
    #[error("end of the file, {remaining} bytes remain in it")]
    Blank {
        /// Bytes from the filler's start to the file's end.
        remaining: i32,
    },
    /// Neither record nor filler.
    #[error("magic {magic:#010X} is none of a record")]
    BadMagic {
        /// What stands in its place; 0 where nothing has been written.
        magic: i32,
    },
    /// The parts do not add up to the total size.
    #[error("total size {stated}, but the parts need {needed}")]
    LengthMismatch {
        /// The total size as stored.
        stated: i32,
        /// What the parts add up to as far as they could be read.
        needed: i64,
    },
    /// The body is not the one that was stored.
    #[error("body crc {stored:#010X}, but the body has {computed:#010X}")]
    BadCrc {
        /// As stored.
        stored: u32,
        /// Of the body that is there.
        computed: u32,
    },
    /// A port above 65535 or a topic that is not UTF-8: no broker writes these.
    #[error("{field} of the record is malformed")]
    Malformed {
        /// Which field.
        field: &'static str,
    },
}

/// Whether [`RecordView::parse`] compares the body with its CRC. Records just received or recovered need it, records read again do not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyCrc {
    /// Compare; an empty body is never compared, as in Java.
    Check,
    /// Trust the store.
    Trust,
}

/// The first eight bytes of a record: enough to walk from one to the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordHead {
    /// Bytes of the whole record, at least [`RECORD_SIZE_MIN`]. Not checked against any upper limit.
    pub total_size: usize,
    /// [`MAGIC_V1`] or [`MAGIC_V2`].
    pub magic: i32,
}

impl RecordHead {
    /// Reads size and magic.
    ///
    /// # Errors
    /// Fewer than eight bytes, the filler at the end of a file, another magic, or a size no record has.
    pub fn parse(bytes: &[u8]) -> Result<RecordHead, RecordError> {
        let words = bytes
            .first_chunk::<BLANK_SIZE>()
            .ok_or(RecordError::NeedMore { needed: BLANK_SIZE, available: bytes.len() })?;
        let [a, b, c, d, magic @ ..] = *words;
        let stated = i32::from_be_bytes([a, b, c, d]);
        let magic = i32::from_be_bytes(magic);
        match magic {
            MAGIC_V1 | MAGIC_V2 => {}
            BLANK_MAGIC => return Err(RecordError::Blank { remaining: stated }),
            magic => return Err(RecordError::BadMagic { magic }),
        }
        match usize::try_from(stated) {
            Ok(total_size) if total_size >= RECORD_SIZE_MIN => Ok(RecordHead { total_size, magic }),
            _ => Err(RecordError::LengthMismatch { stated, needed: RECORD_SIZE_MIN as i64 }),
        }
    }
}

/// A stored record, every field of it; texts and body borrow from the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordView<'a> {
    /// The whole record.
    pub bytes: &'a [u8],
    /// [`MAGIC_V1`] or [`MAGIC_V2`].
    pub magic: i32,
    /// CRC-32 of the body & 0x7FFFFFFF; 0 without a body.
    pub body_crc: u32,
    /// Queue.
    pub queue_id: QueueId,
    /// The user's flag.
    pub flag: i32,
    /// Number within the queue; 0 for prepared and rolled back messages.
    pub queue_offset: QueueOffset,
    /// Where the record says it lies.
    pub physical_offset: PhysicalOffset,
    /// Bits of `sys_flag`.
    pub sys_flag: i32,
    /// When the client made the message.
    pub born_timestamp: Millis,
    /// The client's address.
    pub born_host: SocketAddr,
    /// When the message was appended.
    pub store_timestamp: Millis,
    /// The broker's address.
    pub store_host: SocketAddr,
    /// How often a consumer has given the message back.
    pub reconsume_times: i32,
    /// Where the prepared message of a committed transaction lies, else 0.
    pub prepared_transaction_offset: PhysicalOffset,
    /// The body as sent, maybe compressed.
    pub body: &'a [u8],
    /// Topic.
    pub topic: &'a str,
    /// Properties as stored (`properties`).
    pub properties: &'a [u8],
}

impl<'a> RecordView<'a> {
    /// Reads the record at the start of `bytes`; what follows it is not looked at.
    ///
    /// # Errors
    /// [`RecordError`] with what is there instead.
    pub fn parse(bytes: &'a [u8], body_crc: BodyCrc) -> Result<RecordView<'a>, RecordError> {
        let head = RecordHead::parse(bytes)?;
        let bytes = bytes
            .get(..head.total_size)
            .ok_or(RecordError::NeedMore { needed: head.total_size, available: bytes.len() })?;
        let mut rest = Reader { record: bytes, at: 8 };
        let stored_crc = u32::from_be_bytes(rest.fixed()?);
        let queue_id = QueueId(i32::from_be_bytes(rest.fixed()?));
        let flag = i32::from_be_bytes(rest.fixed()?);
        let queue_offset = QueueOffset(i64::from_be_bytes(rest.fixed()?));
        let physical_offset = PhysicalOffset(i64::from_be_bytes(rest.fixed()?));
        let sys_flag = i32::from_be_bytes(rest.fixed()?);
        let born_timestamp = Millis(i64::from_be_bytes(rest.fixed()?));
        let born_host = rest.host("born host", sys_flag & BORN_HOST_V6 != 0)?;
        let store_timestamp = Millis(i64::from_be_bytes(rest.fixed()?));
        let store_host = rest.host("store host", sys_flag & STORE_HOST_V6 != 0)?;
        let reconsume_times = i32::from_be_bytes(rest.fixed()?);
        let prepared_transaction_offset = PhysicalOffset(i64::from_be_bytes(rest.fixed()?));
        let body_length = i32::from_be_bytes(rest.fixed()?);
        let body = rest.take(i64::from(body_length))?;
        let topic_length = match head.magic {
            MAGIC_V1 => i64::from(i8::from_be_bytes(rest.fixed()?)),
            _ => i64::from(i16::from_be_bytes(rest.fixed()?)),
        };
        let topic =
            std::str::from_utf8(rest.take(topic_length)?).map_err(|_| RecordError::Malformed { field: "topic" })?;
        let properties_length = i16::from_be_bytes(rest.fixed()?);
        let properties = rest.take(i64::from(properties_length))?;
        if rest.at != bytes.len() {
            return Err(rest.mismatch(0));
        }
        if body_crc == BodyCrc::Check && !body.is_empty() {
            check_crc(stored_crc, body)?;
        }
        Ok(RecordView {
            bytes,
            magic: head.magic,
            body_crc: stored_crc,
            queue_id,
            flag,
            queue_offset,
            physical_offset,
            sys_flag,
            born_timestamp,
            born_host,
            store_timestamp,
            store_host,
            reconsume_times,
            prepared_transaction_offset,
            body,
            topic,
            properties,
        })
    }

    /// The value of a property.
    #[must_use]
    pub fn property(&self, name: &str) -> Option<&'a str> {
        properties::get_stored(self.properties, name)
    }

    /// The properties as text; what is not UTF-8 in them becomes U+FFFD, as when Java reads them.
    #[must_use]
    pub fn properties_text(&self) -> std::borrow::Cow<'a, str> {
        String::from_utf8_lossy(self.properties)
    }

    /// `offsetMsgId`.
    #[must_use]
    pub fn message_id(&self) -> String {
        message_id::encode(self.store_host, self.physical_offset)
    }

    /// The same message as a new record: the start of a retry, a delayed delivery or a committed transaction.
    #[must_use]
    pub fn to_new(&self) -> NewRecord<'a> {
        NewRecord {
            topic: self.topic,
            queue_id: self.queue_id,
            flag: self.flag,
            sys_flag: self.sys_flag,
            born_timestamp: self.born_timestamp,
            born_host: self.born_host,
            store_host: self.store_host,
            reconsume_times: self.reconsume_times,
            prepared_transaction_offset: self.prepared_transaction_offset,
            body: self.body,
            properties: self.properties,
        }
    }
}

/// The CRC stored with a body: Java keeps 31 bits.
#[must_use]
pub fn body_crc(body: &[u8]) -> u32 {
    crc32fast::hash(body) & 0x7FFF_FFFF
}

fn check_crc(stored: u32, body: &[u8]) -> Result<(), RecordError> {
    let computed = body_crc(body);
    if computed == stored { Ok(()) } else { Err(RecordError::BadCrc { stored, computed }) }
}

/// The records of a pull's or query's answer, back to back; nothing follows an error.
pub fn records(mut bytes: &[u8], body_crc: BodyCrc) -> impl Iterator<Item = Result<RecordView<'_>, RecordError>> {
    std::iter::from_fn(move || {
        if bytes.is_empty() {
            return None;
        }
        let record = RecordView::parse(bytes, body_crc);
        bytes = match &record {
            Ok(view) => &bytes[view.bytes.len()..],
            Err(_) => &[],
        };
        Some(record)
    })
}

struct Reader<'a> {
    record: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn fixed<const N: usize>(&mut self) -> Result<[u8; N], RecordError> {
        let value = self.record.get(self.at..).and_then(<[u8]>::first_chunk);
        let value = *value.ok_or_else(|| self.mismatch(N as i64))?;
        self.at += N;
        Ok(value)
    }

    fn take(&mut self, length: i64) -> Result<&'a [u8], RecordError> {
        let end = usize::try_from(length).ok().and_then(|length| self.at.checked_add(length));
        let part = end.and_then(|end| self.record.get(self.at..end));
        let part = part.ok_or_else(|| self.mismatch(length))?;
        self.at += part.len();
        Ok(part)
    }

    fn host(&mut self, field: &'static str, v6: bool) -> Result<SocketAddr, RecordError> {
        let ip: IpAddr =
            if v6 { Ipv6Addr::from(self.fixed::<16>()?).into() } else { Ipv4Addr::from(self.fixed::<4>()?).into() };
        let port = u16::try_from(u32::from_be_bytes(self.fixed()?));
        let port = port.map_err(|_| RecordError::Malformed { field })?;
        Ok(SocketAddr::new(ip, port))
    }

    fn mismatch(&self, more: i64) -> RecordError {
        RecordError::LengthMismatch {
            stated: i32::try_from(self.record.len()).unwrap_or(i32::MAX),
            needed: (self.at as i64).saturating_add(more),
        }
    }
}

/// What a record is made of, before the log gives it its place and time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NewRecord<'a> {
    /// Topic.
    pub topic: &'a str,
    /// Queue.
    pub queue_id: QueueId,
    /// The user's flag.
    pub flag: i32,
    /// Bits of `sys_flag`; the two bits for IPv6 are set from the hosts.
    pub sys_flag: i32,
    /// When the client made the message.
    pub born_timestamp: Millis,
    /// The client's address.
    pub born_host: SocketAddr,
    /// The broker's own address, as clients know it.
    pub store_host: SocketAddr,
    /// How often a consumer has given the message back.
    pub reconsume_times: i32,
    /// Where the prepared message of a committed transaction lies, else 0.
    pub prepared_transaction_offset: PhysicalOffset,
    /// Body.
    pub body: &'a [u8],
    /// Properties as they will be stored.
    pub properties: &'a [u8],
}

/// Why a message cannot become a record; Java answers MESSAGE_ILLEGAL or PROPERTIES_SIZE_EXCEEDED (both code 13).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EncodeError {
    /// The properties do not fit in their i16 length.
    #[error("{length} bytes of properties, at most {} are allowed", properties::LENGTH_MAX)]
    PropertiesTooLong {
        /// Bytes of the properties.
        length: usize,
    },
    /// The topic does not fit in its i16 length.
    #[error("a topic of {length} bytes, at most {} are allowed", i16::MAX)]
    TopicTooLong {
        /// Bytes of the topic.
        length: usize,
    },
    /// The record does not fit in its i32 size.
    #[error("a record of {size} bytes")]
    RecordTooLong {
        /// Bytes of the record.
        size: usize,
    },
}

pub(super) fn properties_length(properties: &[u8]) -> Result<i16, EncodeError> {
    i16::try_from(properties.len()).map_err(|_| EncodeError::PropertiesTooLong { length: properties.len() })
}

/// Bytes of the record [`encode`] writes.
#[must_use]
pub fn size_of(record: &NewRecord<'_>) -> usize {
    let host = |host: &SocketAddr| if host.is_ipv6() { 12 } else { 0 };
    let topic_length = usize::from(record.topic.len() > TOPIC_LENGTH_V1_MAX);
    let texts = record.body.len() + record.topic.len() + record.properties.len();
    RECORD_SIZE_MIN + host(&record.born_host) + host(&record.store_host) + topic_length + texts
}

/// Appends the record with queue offset, physical offset and store timestamp 0, for [`patch`] to fill in under the append; returns its size.
///
/// # Errors
/// A length does not fit in its field; nothing is appended.
pub fn encode(record: &NewRecord<'_>, out: &mut BytesMut) -> Result<usize, EncodeError> {
    let properties_length = properties_length(record.properties)?;
    let topic_length =
        i16::try_from(record.topic.len()).map_err(|_| EncodeError::TopicTooLong { length: record.topic.len() })?;
    let size = size_of(record);
    let total_size = i32::try_from(size).map_err(|_| EncodeError::RecordTooLong { size })?;
    let v2 = record.topic.len() > TOPIC_LENGTH_V1_MAX;
    out.reserve(size);
    out.put_i32(total_size);
    out.put_i32(if v2 { MAGIC_V2 } else { MAGIC_V1 });
    out.put_u32(body_crc(record.body));
    out.put_i32(record.queue_id.0);
    out.put_i32(record.flag);
    out.put_bytes(0, SYS_FLAG_AT - QUEUE_OFFSET_AT);
    out.put_i32(sys_flag_of(record));
    out.put_i64(record.born_timestamp.0);
    put_host(&record.born_host, out);
    out.put_i64(0);
    put_host(&record.store_host, out);
    out.put_i32(record.reconsume_times);
    out.put_i64(record.prepared_transaction_offset.0);
    out.put_i32(record.body.len() as i32);
    out.put_slice(record.body);
    if v2 {
        out.put_i16(topic_length);
    } else {
        out.put_u8(topic_length as u8);
    }
    out.put_slice(record.topic.as_bytes());
    out.put_i16(properties_length);
    out.put_slice(record.properties);
    Ok(size)
}

fn sys_flag_of(record: &NewRecord<'_>) -> i32 {
    let bit = |host: &SocketAddr, bit| if host.is_ipv6() { bit } else { 0 };
    record.sys_flag & !(BORN_HOST_V6 | STORE_HOST_V6)
        | bit(&record.born_host, BORN_HOST_V6)
        | bit(&record.store_host, STORE_HOST_V6)
}

fn put_host(host: &SocketAddr, out: &mut BytesMut) {
    match host.ip() {
        IpAddr::V4(ip) => out.put_slice(&ip.octets()),
        IpAddr::V6(ip) => out.put_slice(&ip.octets()),
    }
    out.put_u32(u32::from(host.port()));
}

/// Gives the encoded record at the start of `record` its place and time.
///
/// Panics if `record` is not one that [`encode`] wrote.
pub fn patch(record: &mut [u8], queue_offset: QueueOffset, physical_offset: PhysicalOffset, store_timestamp: Millis) {
    assert!(record.len() >= RECORD_SIZE_MIN, "a record of {} bytes", record.len());
    let store_timestamp_at = store_timestamp_at(record);
    let mut put = |at: usize, value: i64| record[at..at + 8].copy_from_slice(&value.to_be_bytes());
    put(QUEUE_OFFSET_AT, queue_offset.0);
    put(PHYSICAL_OFFSET_AT, physical_offset.0);
    put(store_timestamp_at, store_timestamp.0);
}

fn store_timestamp_at(record: &[u8]) -> usize {
    // The IPv6 bit of the born host lies in the lowest byte of the sys flag.
    let v6 = i32::from(record[SYS_FLAG_AT + 3]) & BORN_HOST_V6 != 0;
    BORN_HOST_AT + if v6 { 20 } else { 8 }
}

/// The filler that closes a file with `remaining` bytes left in it, itself included.
#[must_use]
pub fn blank(remaining: i32) -> [u8; BLANK_SIZE] {
    let mut bytes = [0; BLANK_SIZE];
    bytes[..4].copy_from_slice(&remaining.to_be_bytes());
    bytes[4..].copy_from_slice(&BLANK_MAGIC.to_be_bytes());
    bytes
}

#[cfg(test)]
mod tests;
