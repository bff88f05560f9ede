//! Reading the log record by record, for jobs.

use bytes::Bytes;

use super::error::{Error, ReadError};
use super::log::Patience;
use super::record::{self, Found};
use super::shared::Shared;
use crate::protocol::ids::PhysicalOffset;
use crate::protocol::record::{BodyCrc, RecordView};

/// The log is read in pieces of this many bytes.
const WINDOW_BYTES: usize = 1 << 20;

/// Shows all records that begin at `from` or behind it and end at `to` or before it; `from` must be the start of a record or
/// of a file. Returns the end of the last one, or of the file if a blank follows it.
pub(super) fn walk(
    shared: &Shared,
    from: PhysicalOffset,
    to: PhysicalOffset,
    mut each: impl FnMut(&RecordView<'_>),
) -> Result<PhysicalOffset, Error> {
    let (mut position, mut window) = (from, Bytes::new());
    while position < to {
        let next = match record::find(&window, position, BodyCrc::Trust) {
            Found::Record(record) => {
                let next = position + i64::try_from(record.bytes.len()).unwrap_or(i64::MAX - position.0);
                if next <= to {
                    each(&record);
                }
                next
            }
            Found::Blank => PhysicalOffset(shared.log.base_of(position) + shared.log.segment_bytes()),
            Found::Incomplete { needed } => match read(shared, position, needed)? {
                Some(more) => {
                    window = more;
                    continue;
                }
                None => break,
            },
            Found::Invalid(_) => break,
        };
        if next > to {
            break;
        }
        let taken = usize::try_from(next - position).unwrap_or(usize::MAX);
        window = if taken < window.len() { window.slice(taken..) } else { Bytes::new() };
        position = next;
    }
    Ok(position)
}

/// The bytes from a position on; none when its file or the log has fewer than needed.
fn read(shared: &Shared, position: PhysicalOffset, needed: usize) -> Result<Option<Bytes>, Error> {
    let end = shared.log.written();
    match shared.log.read_up_to(position, end, needed.max(WINDOW_BYTES), Patience::MayBlock) {
        Ok(bytes) => Ok(bytes.filter(|bytes| bytes.len() >= needed)),
        Err(ReadError::Failed(error)) => Err(error),
        Err(ReadError::WouldBlock) => Ok(None),
    }
}
