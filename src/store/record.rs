//! Records of the log as recovery and dispatch see them: may these bytes be trusted, and what comes next?
//! The rules are those of Java's `CommitLog.checkMessageAndReturnSize`, and one more: PHYSICALOFFSET must be the position,
//! so that bytes left over from an earlier life of the file are never taken for messages.

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
}

/// Looks at the bytes that start at `position`.
pub(super) fn find(bytes: &[u8], position: PhysicalOffset, crc: BodyCrc) -> Found<'_> {
    match RecordView::parse(bytes, crc) {
        Ok(record) if record.physical_offset != position => Found::Invalid(Invalid::Position(record.physical_offset)),
        Ok(record) if crc == BodyCrc::Check && !property_crc_holds(&record) => Found::Invalid(Invalid::PropertyCrc),
        Ok(record) => Found::Record(record),
        Err(RecordError::Blank { .. }) => Found::Blank,
        Err(RecordError::NeedMore { needed, .. }) => Found::Incomplete { needed },
        Err(error) => Found::Invalid(error.into()),
    }
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
