//! The binary header of Java's `RocketMQSerializable`.
//!
//! ```text
//! code i16 | language u8 | version i16 | opaque i32 | flag i32 | remark length i32, text | fields length i32,
//!   ( name length i16, name | value length i32, value )*
//! ```
//!
//! An empty remark reads back as none, as in Java. An empty value stays an empty value here (Java reads null), because the
//! signature of a request covers it as "".

use bytes::{BufMut, BytesMut};

use super::{FrameError, MAX_EXT_FIELDS};
use crate::protocol::codes;
use crate::protocol::command::{Command, ExtFields};

pub(super) fn decode(header: &[u8]) -> Result<Command, FrameError> {
    let mut rest = Reader { bytes: header };
    let code = i32::from(i16::from_be_bytes(rest.fixed("code")?));
    let [language] = rest.fixed("language")?;
    let version = i32::from(i16::from_be_bytes(rest.fixed("version")?));
    let opaque = i32::from_be_bytes(rest.fixed("opaque")?);
    let flag = i32::from_be_bytes(rest.fixed("flag")?);
    let remark = rest.long_text("remark")?;
    let fields_length = i32::from_be_bytes(rest.fixed("fields")?);
    let fields = rest.take("fields", fields_length)?;
    let mut command = Command {
        code,
        language,
        version,
        opaque,
        flag,
        remark: (!remark.is_empty()).then(|| remark.to_owned()),
        ext: read_fields(Reader { bytes: fields })?,
        ..Command::default()
    };
    if !command.is_response() {
        command.code = codes::restore_truncated_request(code);
    }
    Ok(command)
}

fn read_fields(mut rest: Reader<'_>) -> Result<ExtFields, FrameError> {
    let mut ext = ExtFields::default();
    if !rest.bytes.is_empty() {
        ext = ExtFields::with_capacity(16, rest.bytes.len());
    }
    while !rest.bytes.is_empty() {
        let name = rest.short_text("field name")?;
        let value = rest.long_text("field value")?;
        ext.set_text(name, value);
        if ext.len() > MAX_EXT_FIELDS {
            return Err(FrameError::TooManyFields);
        }
    }
    Ok(ext)
}

struct Reader<'h> {
    bytes: &'h [u8],
}

impl<'h> Reader<'h> {
    fn fixed<const N: usize>(&mut self, field: &'static str) -> Result<[u8; N], FrameError> {
        match self.bytes.split_first_chunk() {
            Some((value, rest)) => {
                self.bytes = rest;
                Ok(*value)
            }
            None => Err(FrameError::BinaryLength { field, length: N as i32, left: self.bytes.len() }),
        }
    }

    fn take(&mut self, field: &'static str, length: i32) -> Result<&'h [u8], FrameError> {
        let parts = usize::try_from(length).ok().and_then(|length| self.bytes.split_at_checked(length));
        match parts {
            Some((value, rest)) => {
                self.bytes = rest;
                Ok(value)
            }
            None => Err(FrameError::BinaryLength { field, length, left: self.bytes.len() }),
        }
    }

    fn short_text(&mut self, field: &'static str) -> Result<&'h str, FrameError> {
        let length = i16::from_be_bytes(self.fixed(field)?);
        self.text(field, i32::from(length))
    }

    fn long_text(&mut self, field: &'static str) -> Result<&'h str, FrameError> {
        let length = i32::from_be_bytes(self.fixed(field)?);
        self.text(field, length)
    }

    fn text(&mut self, field: &'static str, length: i32) -> Result<&'h str, FrameError> {
        let bytes = self.take(field, length)?;
        std::str::from_utf8(bytes).map_err(|_| FrameError::NotUtf8 { field })
    }
}

/// Codes and versions are cut to 16 bits, as Java cuts them. A field whose name needs more than 32767 bytes cannot be
/// written and is left out; Java has no such name.
pub(super) fn encode(command: &Command, out: &mut BytesMut) {
    out.put_i16(command.code as i16);
    out.put_u8(command.language);
    out.put_i16(command.version as i16);
    out.put_i32(command.opaque);
    out.put_i32(command.flag);
    write_long_text(out, command.remark.as_deref().unwrap_or_default());
    let fields_at = out.len();
    out.put_i32(0);
    for (name, value) in command.ext.iter() {
        let Ok(name_length) = i16::try_from(name.len()) else {
            continue;
        };
        out.put_i16(name_length);
        out.put_slice(name.as_bytes());
        write_long_text(out, value);
    }
    let fields_length = (out.len() - fields_at - 4) as u32;
    out[fields_at..fields_at + 4].copy_from_slice(&fields_length.to_be_bytes());
}

fn write_long_text(out: &mut BytesMut, text: &str) {
    out.put_u32(text.len() as u32);
    out.put_slice(text.as_bytes());
}
