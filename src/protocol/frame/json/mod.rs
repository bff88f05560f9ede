//! The JSON header, read straight into a [`Command`] and written by hand in Java's (alphabetical) order.
//!
//! ```text
//! header -> plain: what stock clients send, one pass -> Command
//!             | anything else                            ^
//!             +-> tolerant: all that Java reads ---------+-> or the error
//! ```
//!
//! Invariant: where the plain reader gives a command, the tolerant one gives the same (a property test).

mod plain;
mod tolerant;

use bytes::{BufMut, BytesMut};

use super::FrameError;
use crate::protocol::codes::language;
use crate::protocol::command::Command;

pub(super) fn decode(header: &[u8]) -> Result<Command, FrameError> {
    plain::decode(header).map_or_else(|| tolerant::decode(header), Ok)
}

/// Keys in alphabetical order, as fastjson writes them; `extFields` and `remark` are left out when there is nothing in them.
pub(super) fn encode(command: &Command, out: &mut BytesMut) {
    write_number(out, "{\"code\":", command.code);
    if !command.ext.is_empty() {
        out.put_slice(b",\"extFields\":");
        let mut separator = b'{';
        for (name, value) in command.ext.iter() {
            out.put_u8(separator);
            write_string(out, name);
            out.put_u8(b':');
            write_string(out, value);
            separator = b',';
        }
        out.put_u8(b'}');
    }
    write_number(out, ",\"flag\":", command.flag);
    out.put_slice(b",\"language\":\"");
    out.put_slice(language::name(command.language).as_bytes());
    write_number(out, "\",\"opaque\":", command.opaque);
    if let Some(remark) = &command.remark {
        out.put_slice(b",\"remark\":");
        write_string(out, remark);
    }
    write_number(out, ",\"serializeTypeCurrentRPC\":\"JSON\",\"version\":", command.version);
    out.put_u8(b'}');
}

fn write_number(out: &mut BytesMut, before: &str, number: i32) {
    out.put_slice(before.as_bytes());
    out.put_slice(itoa::Buffer::new().format(number).as_bytes());
}

/// A JSON string; runs without a character to escape are copied whole.
fn write_string(out: &mut BytesMut, text: &str) {
    out.put_u8(b'"');
    let bytes = text.as_bytes();
    let mut copied = 0;
    for (position, byte) in bytes.iter().enumerate() {
        if *byte >= 0x20 && *byte != b'"' && *byte != b'\\' {
            continue;
        }
        out.put_slice(&bytes[copied..position]);
        copied = position + 1;
        match byte {
            b'"' => out.put_slice(b"\\\""),
            b'\\' => out.put_slice(b"\\\\"),
            b'\n' => out.put_slice(b"\\n"),
            b'\r' => out.put_slice(b"\\r"),
            b'\t' => out.put_slice(b"\\t"),
            control => {
                const HEX: &[u8; 16] = b"0123456789abcdef";
                out.put_slice(b"\\u00");
                out.put_u8(HEX[usize::from(control >> 4)]);
                out.put_u8(HEX[usize::from(control & 0xf)]);
            }
        }
    }
    out.put_slice(&bytes[copied..]);
    out.put_u8(b'"');
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Both readers; whether the plain one took it.
    fn check(header: &[u8]) -> bool {
        match plain::decode(header) {
            Some(command) => {
                assert_eq!(Ok(command), tolerant::decode(header), "{}", String::from_utf8_lossy(header));
                true
            }
            None => false,
        }
    }

    #[test]
    fn what_stock_clients_send_is_plain() {
        assert!(check(br#"{"code":310,"extFields":{"a":"group","i":"KEYS\u0001k\u0002TAGS\u0001\u00e4\u0002"},"flag":0,"language":"JAVA","opaque":12,"serializeTypeCurrentRPC":"JSON","version":513}"#));
        assert!(check(
            br#"{"code":0,"extFields":{},"flag":1,"language":"GO","opaque":-1,"remark":"a \"b\" \n","version":0}"#
        ));
        assert!(check(b"{}"));
    }

    #[test]
    fn what_is_not_plain_is_left_to_the_other_reader() {
        for header in [
            r#"{"code":01}"#,
            r#"{"code":1.5}"#,
            r#"{"code":99999999999}"#,
            r#"{"code":"1"}"#,
            r#"{"code":1 }"#,
            r#"{"code":1}x"#,
            r#"{"code":1,}"#,
            r#"{"code":1"#,
            r#"{"other":1}"#,
            r#"{"remark":null}"#,
            r#"{"extFields":{"a":1}}"#,
            r#"{"extFields":{"a":"\ud83d\ude00"}}"#,
            r#"{"extFields":{"a":"\u00g0"}}"#,
            "{\"remark\":\"\u{1}\"}",
            "",
        ] {
            assert!(!check(header.as_bytes()), "{header}");
        }
        assert!(!check(b"{\"remark\":\"\xff\"}"));
    }

    proptest! {
        #[test]
        fn what_we_write_is_plain(
            numbers in any::<(i32, i32, i32, i32)>(),
            remark in proptest::option::of(".{0,12}"),
            fields in proptest::collection::vec(("[a-z]{0,6}", ".{0,20}"), 0..6),
        ) {
            let mut command = Command { remark, ..Command::default() };
            (command.code, command.version, command.opaque, command.flag) = numbers;
            for (name, value) in &fields {
                command.ext.set_text(name, value);
            }
            let mut header = BytesMut::new();
            encode(&command, &mut header);
            prop_assert!(check(&header));
            prop_assert_eq!(decode(&header), Ok(command));
        }

        #[test]
        fn both_readers_agree(header in r#"(\{|\}|"code":|"remark":|"extFields":\{|"a":|"b":|,|"x"|"\\u00e9"|"\\t"|-|0|17| ){0,12}"#) {
            check(header.as_bytes());
            let whole = format!("{{{header}}}");
            check(whole.as_bytes());
        }
    }
}
