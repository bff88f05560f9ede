//! A follower's log: a byte copy of its master's, received in frames that may cut a record anywhere (Java:
//! `CommitLog.appendData`).
//!
//! ```text
//!            written              received
//!   ... whole records | part of a record |  <- next frame
//!        on disk         in memory
//! ```
//!
//! Only whole records are written. Recovery tells a torn record by sectors that were never written; that holds only while
//! each write begins where a record begins. A part that was written before the rest of its sector could be taken for a whole
//! record after a crash, and the copy would differ from its master from there on.
//!
//! A frame that holds something else than the records of its position is refused before anything of it is written.

use bytes::{Buf, Bytes, BytesMut};

use super::append::Chunk;
use super::error::AppendError;
use super::log::READ_BYTES_MAX;
use super::record::{self, Found};
use super::role::{Promotion, Role};
use super::store::Store;
use crate::protocol::ids::{Millis, PhysicalOffset};
use crate::protocol::record::{BLANK_SIZE, BodyCrc, RecordError, RecordHead};

/// Whole records, or the blank that ends a file, to be written at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Piece {
    pub(super) start: PhysicalOffset,
    pub(super) bytes: Bytes,
    /// The log goes on in the next file.
    pub(super) ends_file: bool,
}

/// Frames become pieces.
#[derive(Debug)]
pub(super) struct Stream {
    segment_bytes: i64,
    crc: BodyCrc,
    /// End of the last piece.
    end: PhysicalOffset,
    /// What was received behind it, but for the filler of a file: a part of a record or of a blank.
    partial: BytesMut,
    received: PhysicalOffset,
    /// A blank was received; the rest of its file has no meaning and is not kept. In a new file it is zeros on both sides.
    in_filler: bool,
}

impl Stream {
    /// A stream that goes on at the end of the log.
    pub(super) fn new(end: PhysicalOffset, segment_bytes: i64, crc: BodyCrc) -> Stream {
        Stream { segment_bytes, crc, end, partial: BytesMut::new(), received: end, in_filler: false }
    }

    pub(super) fn received(&self) -> PhysicalOffset {
        self.received
    }

    /// Forgets what is not whole, and goes on at `end`.
    pub(super) fn restart(&mut self, end: PhysicalOffset) {
        *self = Stream::new(end, self.segment_bytes, self.crc);
    }

    /// The next piece of the bytes that go on at [`Stream::received`]; none when all of them are taken.
    pub(super) fn next(&mut self, bytes: &mut Bytes) -> Result<Option<Piece>, AppendError> {
        loop {
            if self.in_filler {
                let skipped = (self.file_end() - self.received).min(i64::try_from(bytes.len()).unwrap_or(i64::MAX));
                bytes.advance(usize::try_from(skipped).unwrap_or(0));
                self.received = self.received + skipped;
                return Ok((self.received == self.file_end()).then(|| self.take_blank()));
            }
            if self.partial.is_empty() {
                let whole = self.whole_records(bytes)?;
                if whole > 0 {
                    self.received = self.end + i64::try_from(whole).unwrap_or(0);
                    return Ok(Some(self.piece(bytes.split_to(whole))));
                }
            }
            let missing = self.needed()? - self.partial.len();
            if self.in_filler {
                continue;
            }
            let more = bytes.split_to(missing.min(bytes.len()));
            self.partial.extend_from_slice(&more);
            self.received = self.received + i64::try_from(more.len()).unwrap_or(0);
            if more.len() < missing {
                return Ok(None);
            }
            if self.partial.len() > BLANK_SIZE {
                let record = self.partial.split().freeze();
                self.partial = BytesMut::new();
                return match self.whole_records(&record)? {
                    0 => Err(self.damage("its size says less than its parts")),
                    _ => Ok(Some(self.piece(record))),
                };
            }
        }
    }

    fn file_end(&self) -> PhysicalOffset {
        let within = self.end.0.rem_euclid(self.segment_bytes);
        self.end + (self.segment_bytes - within)
    }

    fn piece(&mut self, bytes: Bytes) -> Piece {
        let start = self.end;
        self.end = self.received;
        Piece { start, bytes, ends_file: false }
    }

    fn take_blank(&mut self) -> Piece {
        self.in_filler = false;
        let bytes = self.partial.split().freeze();
        Piece { ends_file: true, ..self.piece(bytes) }
    }

    /// Bytes of the whole records at the start of `bytes`, which stand at the end of the log.
    fn whole_records(&self, bytes: &[u8]) -> Result<usize, AppendError> {
        let bytes = &bytes[..bytes.len().min(self.room())];
        let mut whole = 0;
        loop {
            let position = self.end + i64::try_from(whole).unwrap_or(0);
            match record::find(&bytes[whole..], position, self.crc) {
                Found::Record(record) => whole += record.bytes.len(),
                // Reported when it is the first one: those before it are good.
                Found::Invalid(reason) if whole == 0 => return Err(self.damage(&reason.to_string())),
                Found::Invalid(_) | Found::Blank | Found::Incomplete { .. } => return Ok(whole),
            }
        }
    }

    /// Bytes from the end of the log to the end of its file.
    fn room(&self) -> usize {
        usize::try_from(self.file_end() - self.end).unwrap_or(0)
    }

    /// Bytes that the part must have for the next step: those of a head, then those of the record.
    fn needed(&mut self) -> Result<usize, AppendError> {
        let room = self.room();
        match RecordHead::parse(&self.partial) {
            Err(RecordError::NeedMore { needed, .. }) if needed <= room => Ok(needed),
            Ok(head) if head.total_size <= room.min(READ_BYTES_MAX) => Ok(head.total_size),
            Err(RecordError::Blank { .. }) => {
                self.in_filler = true;
                Ok(BLANK_SIZE)
            }
            Err(RecordError::NeedMore { .. }) => Err(self.damage("its file ends without a blank")),
            Ok(_) => Err(self.damage("it goes beyond the end of its file")),
            Err(reason) => Err(self.damage(&reason.to_string())),
        }
    }

    fn damage(&self, reason: &str) -> AppendError {
        AppendError::Damaged { position: self.end, reason: reason.to_owned() }
    }
}

impl Store {
    /// How far the master's bytes have been received: at or behind [`Store::written`] by less than a record, or by less than
    /// the filler at the end of a file. Of these nothing survives the connection: a new one begins at [`Store::written`].
    #[must_use]
    pub fn received(&self) -> PhysicalOffset {
        match &self.role {
            Role::Leading { .. } => self.written(),
            Role::Following { stream, .. } => stream.received(),
        }
    }

    /// Appends bytes of the master's log, which may begin and end within a record. They go to the page cache in the caller's
    /// task as far as they are whole records; the rest waits in memory for its end. Returns [`Store::received`].
    ///
    /// `at` is [`Store::received`], or [`Store::written`] to begin anew there. A log without a byte begins at the start of any
    /// file that is not before its end, because a Java master sends a new slave only its newest file. The filler behind the
    /// blank of a full file is received but not kept: it has no meaning.
    ///
    /// # Errors
    /// Nothing, or only some of the whole records at the beginning of `bytes`, was written: go on at [`Store::written`].
    /// After [`AppendError::Damaged`] too; the store is as good as before.
    pub fn append_raw(
        &mut self,
        at: PhysicalOffset,
        mut bytes: Bytes,
        now: Millis,
    ) -> Result<PhysicalOffset, AppendError> {
        if let Some(refusal) = self.raw_refusal() {
            return Err(refusal);
        }
        self.arrive(at)?;
        let outcome = loop {
            let Role::Following { stream, .. } = &mut self.role else { break Err(AppendError::NotFollowing) };
            match stream.next(&mut bytes).map(|piece| piece.ok_or(stream.received())) {
                Ok(Ok(piece)) => {
                    if let Err(error) = self.write_piece(piece, now) {
                        break Err(error);
                    }
                }
                Ok(Err(received)) => break Ok(received),
                Err(damage) => break Err(damage),
            }
        };
        if outcome.is_err() {
            self.restart_stream();
        }
        outcome
    }

    fn raw_refusal(&self) -> Option<AppendError> {
        match self.role {
            Role::Following { promotion: Promotion::Unwanted, .. } if self.is_cutting() => Some(AppendError::Changing),
            Role::Following { promotion: Promotion::Unwanted, .. } => self.refusal(),
            Role::Following { .. } | Role::Leading { .. } => Some(AppendError::NotFollowing),
        }
    }

    /// Checks where bytes are to go, and prepares the log for them.
    fn arrive(&mut self, at: PhysicalOffset) -> Result<(), AppendError> {
        let (written, received) = (self.written(), self.received());
        if at == received {
            return Ok(());
        }
        if at != written {
            if written != self.shared.log.first() || at < written {
                return Err(AppendError::NotAtEnd { at, end: received });
            }
            self.begin_at(at)?;
        }
        self.restart_stream();
        Ok(())
    }

    /// A log without a byte begins at the start of another file.
    fn begin_at(&mut self, at: PhysicalOffset) -> Result<(), AppendError> {
        let segment_bytes = self.shared.log.segment_bytes();
        if at.0.rem_euclid(segment_bytes) != 0 {
            return Err(AppendError::NotFileStart { at, segment_bytes });
        }
        if self.upkeep.creating_segment {
            return Err(AppendError::Changing);
        }
        if let Err(error) = self.writer.begin_at(at) {
            return Err(self.write_failed(&error));
        }
        self.flush.begin_at(at);
        self.follow.begin_at(at);
        self.shared.set_recovered(at, at);
        Ok(())
    }

    pub(super) fn restart_stream(&mut self) {
        let written = self.written();
        if let Role::Following { stream, .. } = &mut self.role {
            stream.restart(written);
        }
    }

    fn write_piece(&mut self, piece: Piece, now: Millis) -> Result<(), AppendError> {
        if let Err(error) = self.writer.append_piece(&piece) {
            return Err(self.write_failed(&error));
        }
        self.follow.keep(Chunk { start: piece.start, bytes: piece.bytes });
        self.flush.appended(self.writer.end());
        self.note_newest(now);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::ids::{QueueId, QueueOffset};
    use crate::protocol::record::{NewRecord, blank, encode, patch};

    const SEGMENT: usize = 1024;
    /// The log of the tests begins with its second file.
    const START: PhysicalOffset = PhysicalOffset(SEGMENT as i64);

    fn record(position: usize, body: usize) -> Vec<u8> {
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
            body: &vec![b'b'; body],
            properties: b"k\x01v\x02",
        };
        let mut bytes = BytesMut::new();
        encode(&record, &mut bytes).unwrap();
        patch(&mut bytes, QueueOffset(5), PhysicalOffset(position as i64), Millis(2));
        bytes.to_vec()
    }

    /// Two files and a record; `filler` stands behind the blanks, and the first file ends with just the blank.
    fn log(filler: u8) -> Vec<u8> {
        let mut log = vec![0; SEGMENT];
        let push = |log: &mut Vec<u8>, body| log.extend(record(log.len(), body));
        let bare = record(0, 0).len();
        push(&mut log, 100);
        push(&mut log, SEGMENT - BLANK_SIZE - 2 * bare - 100);
        log.extend(blank(BLANK_SIZE as i32));
        push(&mut log, 300);
        push(&mut log, 10);
        log.extend(blank((3 * SEGMENT - log.len()) as i32));
        log.resize(3 * SEGMENT, filler);
        push(&mut log, 0);
        log.split_off(SEGMENT)
    }

    fn stream() -> Stream {
        Stream::new(START, SEGMENT as i64, BodyCrc::Check)
    }

    /// Gives a stream the log in frames of these lengths, over and over, and returns what it would write.
    fn copy(log: &[u8], frames: &[usize]) -> (Vec<u8>, Stream) {
        let (mut stream, mut copied, mut rest) = (stream(), Vec::new(), log);
        for len in frames.iter().cycle() {
            let (frame, later) = rest.split_at(*len.min(&rest.len()));
            let mut frame = Bytes::copy_from_slice(frame);
            while let Some(piece) = stream.next(&mut frame).unwrap() {
                assert_eq!(piece.start, START + copied.len() as i64);
                copied.extend_from_slice(&piece.bytes);
                if piece.ends_file {
                    copied.resize(copied.len().next_multiple_of(SEGMENT), 0);
                }
            }
            rest = later;
            assert!(frame.is_empty());
            assert_eq!(stream.received(), START + (log.len() - rest.len()) as i64, "all of a frame is taken");
            assert!(stream.partial.len() < SEGMENT);
            if rest.is_empty() {
                break;
            }
        }
        (copied, stream)
    }

    #[test]
    fn the_copy_is_the_log_however_it_is_cut() {
        let log = log(0);
        for frame in 1..log.len() + 1 {
            assert_eq!(copy(&log, &[frame]).0, log, "frames of {frame}");
        }
        for frames in [[1, 700, 91], [8, 1, 1015], [115, 8, 3]] {
            assert_eq!(copy(&log, &frames).0, log, "{frames:?}");
        }
        assert_eq!(copy(&self::log(0xFF), &[100]).0, log, "a filler has no meaning");
    }

    #[test]
    fn a_part_of_a_record_waits() {
        let log = log(0);
        let first = record(SEGMENT, 100);
        for cut in 1..first.len() {
            let (copied, stream) = copy(&log[..cut], &[cut]);
            assert_eq!((copied.len(), stream.partial.len()), (0, cut));
        }
        let (copied, stream) = copy(&log[..first.len() + 9], &[SEGMENT]);
        assert_eq!((copied, stream.partial.len()), (first, 9));
    }

    fn check_damage(bytes: &[u8], position: i64, reason: &str) {
        for frame in [bytes.len(), 1] {
            let mut stream = stream();
            let damage = bytes.chunks(frame).find_map(|frame| {
                let mut frame = Bytes::copy_from_slice(frame);
                std::iter::from_fn(|| stream.next(&mut frame).transpose()).find_map(Result::err)
            });
            let expected = AppendError::Damaged { position: PhysicalOffset(position), reason: reason.to_owned() };
            assert_eq!(damage, Some(expected), "frames of {frame}");
        }
    }

    #[test]
    fn what_is_no_record_of_its_position_is_refused() {
        let whole = record(SEGMENT, 100);
        let next = whole.len() as i64 + START.0;
        let behind = |bytes: &[u8]| [&whole, bytes].concat();
        check_damage(&behind(&[0; 8]), next, "magic 0x00000000 is none of a record");
        check_damage(&behind(&whole), next, "it is the record of position 1024");
        let mut flipped = whole.clone();
        flipped[100] ^= 1;
        let text = RecordError::BadCrc { stored: record_crc(&whole), computed: record_crc(&flipped) }.to_string();
        check_damage(&flipped, START.0, &text);
        check_damage(&record(SEGMENT, SEGMENT), START.0, "it goes beyond the end of its file");
        let full = record(SEGMENT, SEGMENT - record(0, 0).len() - 4);
        check_damage(&[&full[..], &[0; 8]].concat(), START.0 + full.len() as i64, "its file ends without a blank");
    }

    fn record_crc(record: &[u8]) -> u32 {
        crate::protocol::record::body_crc(&record[88..188])
    }
}
