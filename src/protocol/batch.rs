//! The body of a batch send: messages back to back (`MessageDecoder.encodeMessages`).
//!
//! ```text
//! total size i32 | magic i32 0 | crc i32 0 | flag i32 | body length i32, body | properties length i16, properties
//! ```
//!
//! Magic and crc are not read, as in Java. Every length is checked against the bytes that are there.

use bytes::{BufMut, BytesMut};

/// Bytes of a message without its body and properties.
const FIXED: usize = 22;

/// One message of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchMessage<'b> {
    /// The user's flag.
    pub flag: i32,
    /// Body.
    pub body: &'b [u8],
    /// Properties as they will be stored.
    pub properties: &'b [u8],
}

/// Why a body is not a batch.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BatchError {
    /// A message does not end within the body, or its lengths are negative.
    #[error("message {index} of the batch has {field} {length} with {left} bytes left")]
    Length {
        /// Which message, counted from 0.
        index: usize,
        /// Which length.
        field: &'static str,
        /// The length as read.
        length: i64,
        /// Bytes left for it.
        left: usize,
    },
}

/// The messages of a batch body, in order; nothing follows an error.
#[must_use]
pub fn messages(body: &[u8]) -> Messages<'_> {
    Messages { rest: body, index: 0 }
}

/// Iterator of [`messages`].
#[derive(Clone, Debug)]
pub struct Messages<'b> {
    rest: &'b [u8],
    index: usize,
}

impl<'b> Iterator for Messages<'b> {
    type Item = Result<BatchMessage<'b>, BatchError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let message = self.read();
        match message {
            Ok(_) => self.index += 1,
            Err(_) => self.rest = &[],
        }
        Some(message)
    }
}

impl<'b> Messages<'b> {
    fn read(&mut self) -> Result<BatchMessage<'b>, BatchError> {
        let length = |field, length: i64, left| BatchError::Length { index: self.index, field, length, left };
        let short = || length("fixed part of", FIXED as i64, self.rest.len());
        let total = i32::from_be_bytes(*self.rest.first_chunk().ok_or_else(short)?);
        let size = usize::try_from(total).unwrap_or(0);
        if size < FIXED || size > self.rest.len() {
            return Err(length("total size", i64::from(total), self.rest.len()));
        }
        let (message, rest) = self.rest.split_at(size);
        let (flag, after) = message[12..].split_first_chunk().ok_or_else(short)?;
        let (body_length, after) = after.split_first_chunk().ok_or_else(short)?;
        let body_length = i32::from_be_bytes(*body_length);
        let (body, after) = usize::try_from(body_length)
            .ok()
            .and_then(|length| after.split_at_checked(length))
            .ok_or_else(|| length("body length", i64::from(body_length), after.len()))?;
        let (stated, properties) =
            after.split_first_chunk().ok_or_else(|| length("properties length of", 2, after.len()))?;
        let stated = i16::from_be_bytes(*stated);
        if usize::try_from(stated).ok() != Some(properties.len()) {
            return Err(length("properties length", i64::from(stated), properties.len()));
        }
        self.rest = rest;
        Ok(BatchMessage { flag: i32::from_be_bytes(*flag), body, properties })
    }
}

/// Appends one message, as a client does.
///
/// # Errors
/// The properties are longer than [`LENGTH_MAX`](super::properties::LENGTH_MAX).
pub fn encode(message: &BatchMessage<'_>, out: &mut BytesMut) -> Result<(), super::record::EncodeError> {
    let properties_length = super::record::properties_length(message.properties)?;
    out.put_u32((FIXED + message.body.len() + message.properties.len()) as u32);
    out.put_u64(0);
    out.put_i32(message.flag);
    out.put_u32(message.body.len() as u32);
    out.put_slice(message.body);
    out.put_i16(properties_length);
    out.put_slice(message.properties);
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn encoded(parts: &[(i32, Vec<u8>, Vec<u8>)]) -> BytesMut {
        let mut out = BytesMut::new();
        for (flag, body, properties) in parts {
            let message = BatchMessage { flag: *flag, body, properties };
            encode(&message, &mut out).unwrap();
        }
        out
    }

    fn check(body: &[u8], expected: Result<usize, BatchError>) {
        let read: Result<Vec<_>, _> = messages(body).collect();
        assert_eq!(read.map(|messages| messages.len()), expected);
    }

    #[test]
    fn lengths_are_checked() {
        let good = encoded(&[(1, b"body".to_vec(), b"a\x01b\x02".to_vec()), (2, vec![], vec![])]);
        check(&good, Ok(2));
        check(&[], Ok(0));
        let error = |index, field, length, left| Err(BatchError::Length { index, field, length, left });
        check(&good[..good.len() - 1], error(1, "total size", 22, 21));
        check(&good[..3], error(0, "fixed part of", 22, 3));
        let with = |at: usize, value: &[u8]| {
            let mut bad = good.clone();
            bad[at..at + value.len()].copy_from_slice(value);
            bad
        };
        check(&with(0, &[0xFF; 4]), error(0, "total size", -1, 52));
        check(&with(0, &[0, 0, 0, 21]), error(0, "total size", 21, 52));
        check(&with(16, &[0x7F, 0xFF, 0xFF, 0xFF]), error(0, "body length", i64::from(i32::MAX), 10));
        check(&with(16, &[0, 0, 0, 9]), error(0, "properties length of", 2, 1));
        check(&with(24, &[0, 5]), error(0, "properties length", 5, 4));
    }

    proptest! {
        #[test]
        fn batches_come_back(parts in proptest::collection::vec((any::<i32>(), any::<Vec<u8>>(), any::<Vec<u8>>()), 0..5)) {
            let body = encoded(&parts);
            let read: Result<Vec<_>, _> = messages(&body).map(|message| message.map(|m| (m.flag, m.body.to_vec(), m.properties.to_vec()))).collect();
            prop_assert_eq!(read, Ok(parts));
        }

        #[test]
        fn any_bytes_are_read_without_panic(bytes in any::<Vec<u8>>()) {
            prop_assert!(messages(&bytes).count() <= bytes.len() / FIXED + 1);
        }
    }
}
