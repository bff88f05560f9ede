//! Java properties: `.conf` files and the body of UPDATE_BROKER_CONFIG (the format of `java.util.Properties.load`).

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use super::error::Place;
use super::raw::{RawEntry, RawTable, RawValue};

/// The text of a properties file: UTF-8, or else Latin-1 as Java reads it, which takes any bytes in comments.
pub fn decode_properties(content: &[u8]) -> Cow<'_, str> {
    match str::from_utf8(content) {
        Ok(text) => text.into(),
        Err(_) => content.iter().copied().map(char::from).collect::<String>().into(),
    }
}

/// `key=value` lines, as the answers to GET_BROKER_CONFIG (26) and GET_NAMESRV_CONFIG (319) carry them.
#[must_use]
pub fn properties_text(values: &BTreeMap<String, String>) -> String {
    values.iter().map(|(key, value)| format!("{key}={}\n", escape(value))).collect()
}

/// Reads a properties text. There is no wrong syntax: a line without separator is a key with an empty value.
/// Values are trimmed at both ends, which Java does only for texts.
pub fn read_properties(file: &Arc<Path>, text: &str) -> RawTable {
    let place = |line| Place { file: file.clone(), line };
    let entries = logical_lines(text).map(|line| {
        let (key, value) = split(&line.text);
        RawEntry {
            key: unescape(key),
            value: RawValue::Text(unescape(value).trim().to_owned()),
            place: place(line.first),
        }
    });
    RawTable { place: place(1), entries: entries.collect() }
}

/// `text` with `key` set to `value`: the last line that sets it is replaced, else a line is added at the end.
/// Java rewrites the whole file and loses its comments; here every other line stays as it is.
#[must_use]
pub fn with_value(text: &str, key: &str, value: &str) -> String {
    let line = format!("{key}={}\n", escape(value));
    let found = logical_lines(text).filter(|line| unescape(split(&line.text).0) == key).last();
    let mut lines: Vec<String> = text.lines().map(|line| format!("{line}\n")).collect();
    match found {
        Some(found) => drop(lines.splice(found.first - 1..found.last, [line])),
        None => lines.push(line),
    }
    lines.concat()
}

/// A line with its continuations.
struct LogicalLine {
    text: String,
    first: usize,
    last: usize,
}

fn logical_lines(text: &str) -> impl Iterator<Item = LogicalLine> {
    let mut lines = text.lines().enumerate();
    std::iter::from_fn(move || {
        let (index, first) = lines
            .by_ref()
            .map(|(index, line)| (index, line.trim_start()))
            .find(|(_, line)| !line.is_empty() && !line.starts_with(['#', '!']))?;
        let mut logical = LogicalLine { text: first.to_owned(), first: index + 1, last: index + 1 };
        while continues(&logical.text) {
            logical.text.pop();
            let Some((index, next)) = lines.next() else {
                break;
            };
            logical.text.push_str(next.trim_start());
            logical.last = index + 1;
        }
        Some(logical)
    })
}

/// An odd number of backslashes at the end.
fn continues(line: &str) -> bool {
    line.bytes().rev().take_while(|byte| *byte == b'\\').count() % 2 == 1
}

/// Key and value, both still escaped: the key ends at the first `=`, `:` or blank that is not escaped.
fn split(line: &str) -> (&str, &str) {
    let mut escaped = false;
    let end = line.find(|c: char| {
        let ends = !escaped && (c == '=' || c == ':' || c.is_ascii_whitespace());
        escaped = !escaped && c == '\\';
        ends
    });
    let (key, rest) = line.split_at(end.unwrap_or(line.len()));
    let rest = rest.trim_start();
    let rest = rest.strip_prefix(['=', ':']).unwrap_or(rest);
    (key, rest.trim_start())
}

fn unescape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        match chars.next() {
            Some('t') => out.push('\t'),
            Some('n') => out.push('\n'),
            Some('r') => out.push('\r'),
            Some('f') => out.push('\u{c}'),
            Some('u') => {
                let digits: String = chars.by_ref().take(4).collect();
                let code = u32::from_str_radix(&digits, 16).ok();
                out.push(code.and_then(char::from_u32).unwrap_or('\u{fffd}'));
            }
            Some(other) => out.push(other),
            None => {}
        }
    }
    out
}

fn escape(value: &str) -> String {
    value.replace('\\', "\\\\").replace('\n', "\\n").replace('\r', "\\r")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &[(&str, &str, usize)]) {
        let table = read_properties(&Path::new("x.conf").into(), text);
        let found: Vec<_> = table
            .entries
            .iter()
            .map(|entry| match &entry.value {
                RawValue::Text(value) => (entry.key.as_str(), value.as_str(), entry.place.line),
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn reads_what_java_reads() {
        check(
            "# comment\n! comment\n\nbrokerName = broker-a \n  brokerId: 0\nbrokerRole SYNC_MASTER\n",
            &[("brokerName", "broker-a", 4), ("brokerId", "0", 5), ("brokerRole", "SYNC_MASTER", 6)],
        );
        check(
            "namesrvAddr=a:9876;\\\n   b:9876\r\nempty=\nlone\n",
            &[("namesrvAddr", "a:9876;b:9876", 1), ("empty", "", 3), ("lone", "", 4)],
        );
        check(
            "a\\ b=c\\:\\\\d\nunicode=\\u00e9\\uZZZZ\nlast=\\",
            &[("a b", "c:\\d", 1), ("unicode", "\u{e9}\u{fffd}", 2), ("last", "", 3)],
        );
    }

    #[test]
    fn bytes_that_are_not_utf_8_are_latin_1() {
        assert_eq!(decode_properties("# \u{4e2d}".as_bytes()), "# \u{4e2d}");
        assert_eq!(decode_properties(b"# \xd6\nbrokerName=a"), "# \u{d6}\nbrokerName=a");
    }

    #[test]
    fn a_value_is_replaced_where_it_stands() {
        let text = "# keep me\ndeleteWhen=04\nnamesrvAddr=a;\\\n  b\nbrokerId=0";
        let cases = [
            ("deleteWhen", "# keep me\ndeleteWhen=X\nnamesrvAddr=a;\\\n  b\nbrokerId=0\n"),
            ("namesrvAddr", "# keep me\ndeleteWhen=04\nnamesrvAddr=X\nbrokerId=0\n"),
            ("regionId", "# keep me\ndeleteWhen=04\nnamesrvAddr=a;\\\n  b\nbrokerId=0\nregionId=X\n"),
        ];
        for (key, expected) in cases {
            assert_eq!(with_value(text, key, "X"), expected);
        }
    }

    #[test]
    fn a_written_value_is_read_back() {
        let value = "C:\\store\n=#!: x";
        let text = with_value("", "regionId", value);
        check(&text, &[("regionId", value, 1)]);
    }
}
