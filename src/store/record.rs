//! Records of the log as recovery and dispatch see them: may these bytes be trusted, and what comes next?
//! The rules are those of Java's `CommitLog.checkMessageAndReturnSize`, and two more. PHYSICALOFFSET must be the position,
//! so that bytes left over from an earlier life of the file are never taken for messages. And topic and properties, which no
//! CRC covers, must not be missing a sector: after a power failure the body may be there and the properties not.

use crate::protocol::ids::PhysicalOffset;
use crate::protocol::properties::pairs;
use crate::protocol::record::{BodyCrc, RecordError, RecordView};

/// Java's `PROPERTY_CRC32`, always the last property of a record that has it.
const PROPERTY_CRC: &[u8] = b"__CRC32#";
/// Name, separator, ten digits, separator: not covered by the CRC itself.
const PROPERTY_CRC_BYTES: usize = 8 + 1 + 10 + 1;

/// What stands at a position of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Found<'a> {
    /// A record.
    Record(RecordView<'a>),
    /// The file ends here; the log goes on in the next one.
    Blank,
    /// The bytes end before the record does.
    Incomplete {
        /// Bytes that must be there to decide.
        needed: usize,
    },
    /// No record: the log ends here, or is damaged.
    Invalid(Invalid),
}

/// Why bytes are no record of this position.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Invalid {
    #[error(transparent)]
    Record(#[from] RecordError),
    #[error("it is the record of position {0}")]
    Position(PhysicalOffset),
    #[error("the CRC in its properties does not match")]
    PropertyCrc,
    #[error("a sector of its topic or properties was never written")]
    Torn,
}

/// Looks at the bytes that start at `position`.
pub(super) fn find(bytes: &[u8], position: PhysicalOffset, crc: BodyCrc) -> Found<'_> {
    match RecordView::parse(bytes, crc) {
        Ok(record) if record.physical_offset != position => Found::Invalid(Invalid::Position(record.physical_offset)),
        Ok(record) if crc == BodyCrc::Check && !property_crc_holds(&record) => Found::Invalid(Invalid::PropertyCrc),
        Ok(record) if crc == BodyCrc::Check && is_torn(&record) => Found::Invalid(Invalid::Torn),
        Ok(record) => Found::Record(record),
        Err(RecordError::Blank { .. }) => Found::Blank,
        Err(RecordError::NeedMore { needed, .. }) => Found::Incomplete { needed },
        Err(error) => Found::Invalid(error.into()),
    }
}

/// What a disk writes at once.
const SECTOR_BYTES: usize = 512;

/// Whether the part of the topic or of the properties in some sector is nothing but zeros. A zero byte among others may be
/// somebody's idea of a property.
fn is_torn(record: &RecordView<'_>) -> bool {
    let properties_at = record.bytes.len() - record.properties.len();
    let topic_at = properties_at - 2 - record.topic.len();
    let position = usize::try_from(record.physical_offset.0).unwrap_or(0);
    let lost = |start: usize, part: &[u8]| {
        let head = (SECTOR_BYTES - (position + start) % SECTOR_BYTES).min(part.len());
        let (first, rest) = part.split_at(head);
        let is_zero = |piece: &[u8]| !piece.is_empty() && piece.iter().all(|byte| *byte == 0);
        is_zero(first) || rest.chunks(SECTOR_BYTES).any(is_zero)
    };
    lost(topic_at, record.topic.as_bytes()) || lost(properties_at, record.properties)
}

/// The CRC that `enabledAppendPropCRC` adds: ten digits, the least significant first, over all that stands before it.
fn property_crc_holds(record: &RecordView<'_>) -> bool {
    let Some((_, digits)) = pairs(record.properties).filter(|(name, _)| *name == PROPERTY_CRC).last() else {
        return true;
    };
    let stated = digits.iter().rev().try_fold(0u64, |sum, digit| {
        digit.is_ascii_digit().then(|| sum.saturating_mul(10).saturating_add(u64::from(digit - b'0')))
    });
    let covered = &record.bytes[..record.bytes.len().saturating_sub(PROPERTY_CRC_BYTES)];
    stated == Some(u64::from(crc32fast::hash(covered) & 0x7FFF_FFFF))
}

#[cfg(test)]
mod tests {
    use bytes::BytesMut;

    use super::*;
    use crate::protocol::ids::{Millis, QueueId, QueueOffset};
    use crate::protocol::record::{NewRecord, blank, encode, patch};

    const POSITION: PhysicalOffset = PhysicalOffset(400);

    fn sample(properties: &[u8]) -> BytesMut {
        let host = "127.0.0.1:10911".parse().unwrap();
        let record = NewRecord {
            topic: "TopicTest",
            queue_id: QueueId(1),
            flag: 0,
            sys_flag: 0,
            born_timestamp: Millis(1),
            born_host: host,
            store_host: host,
            reconsume_times: 0,
            prepared_transaction_offset: PhysicalOffset(0),
            body: b"body",
            properties,
        };
        let mut bytes = BytesMut::new();
        encode(&record, &mut bytes).unwrap();
        patch(&mut bytes, QueueOffset(5), POSITION, Millis(2));
        bytes
    }

    #[test]
    fn a_record_knows_its_place() {
        let bytes = sample(b"a\x01b\x02");
        assert!(matches!(find(&bytes, POSITION, BodyCrc::Check), Found::Record(_)));
        assert_eq!(find(&bytes, POSITION + 1, BodyCrc::Trust), Found::Invalid(Invalid::Position(POSITION)));
        assert_eq!(find(&bytes[..50], POSITION, BodyCrc::Check), Found::Incomplete { needed: bytes.len() });
        assert_eq!(find(&blank(100), POSITION, BodyCrc::Check), Found::Blank);
    }

    #[test]
    fn a_lost_sector_of_the_properties_is_noticed_a_zero_byte_is_none() {
        // The properties begin at 91 + 9 + 4 = 104 of the record, byte 504 of the log: eight bytes in one sector, the rest in the next.
        let mut bytes = sample(b"name\x01value-and-more\x02");
        assert!(matches!(find(&bytes, POSITION, BodyCrc::Check), Found::Record(_)));
        bytes[104..112].fill(0);
        assert_eq!(find(&bytes, POSITION, BodyCrc::Check), Found::Invalid(Invalid::Torn));
        let mut bytes = sample(b"name\x01value-and-more\x02");
        bytes[112..].fill(0);
        assert_eq!(find(&bytes, POSITION, BodyCrc::Check), Found::Invalid(Invalid::Torn));
        let bytes = sample(b"name\x01va\x00ue\x02");
        assert!(matches!(find(&bytes, POSITION, BodyCrc::Check), Found::Record(_)));
        assert!(matches!(find(&sample(b""), POSITION, BodyCrc::Check), Found::Record(_)));
    }

    #[test]
    fn the_crc_in_the_properties_counts_where_there_is_one() {
        let with_crc = |digits: u32| {
            let placeholder = format!("a\x01b\x02__CRC32#\x01{:010}\x02", 0);
            let mut bytes = sample(placeholder.as_bytes());
            let covered = bytes.len() - PROPERTY_CRC_BYTES;
            let crc = (crc32fast::hash(&bytes[..covered]) & 0x7FFF_FFFF).wrapping_add(digits);
            let reversed: Vec<u8> = format!("{crc:010}").bytes().rev().collect();
            let at = bytes.len() - 11;
            bytes[at..at + 10].copy_from_slice(&reversed);
            bytes
        };
        assert!(matches!(find(&with_crc(0), POSITION, BodyCrc::Check), Found::Record(_)));
        assert_eq!(find(&with_crc(1), POSITION, BodyCrc::Check), Found::Invalid(Invalid::PropertyCrc));
    }
}
