//! Text of `java.util.Properties`: the bodies of 25, 26, 318, 319 and Java's `.conf` files.
//!
//! Comments start with `#` or `!`; the key ends at the first `=`, `:` or blank that is not escaped; a backslash escapes, also
//! the end of a line; `\uXXXX` is a UTF-16 unit. Unlike Java's reader, which takes bytes as Latin-1, other characters stay themselves.

use std::iter::Peekable;
use std::str::Chars;

/// A `\u` that is not followed by four hex digits.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: \\u is not followed by four hex digits")]
pub struct MalformedEscape {
    /// Number of the (first physical) line, counted from 1.
    pub line: usize,
}

/// The pairs in the order of the text; of equal keys the last one counts.
///
/// # Errors
/// An escape cannot be read.
pub fn parse(text: &str) -> Result<Vec<(String, String)>, MalformedEscape> {
    let mut pairs = Vec::new();
    for (line, content) in logical_lines(text) {
        let mut chars = content.chars().peekable();
        let key = read_key(&mut chars, line)?;
        skip_separator(&mut chars);
        let value = read_value(&mut chars, line)?;
        pairs.push((key, value));
    }
    Ok(pairs)
}

/// Lines without comments and blank ones, joined where the end of one is escaped.
fn logical_lines(text: &str) -> Vec<(usize, String)> {
    let mut lines = Vec::new();
    let mut open: Option<(usize, String)> = None;
    for (index, natural) in text.split(['\n', '\r']).enumerate() {
        let content = natural.trim_start_matches(is_blank);
        let (number, mut joined) = match open.take() {
            Some(line) => line,
            None if content.is_empty() || content.starts_with(['#', '!']) => continue,
            None => (index + 1, String::new()),
        };
        let backslashes = content.bytes().rev().take_while(|byte| *byte == b'\\').count();
        if backslashes % 2 == 1 {
            joined.push_str(&content[..content.len() - 1]);
            open = Some((number, joined));
        } else {
            joined.push_str(content);
            lines.push((number, joined));
        }
    }
    lines.extend(open);
    lines
}

fn is_blank(character: char) -> bool {
    matches!(character, ' ' | '\t' | '\u{c}')
}

type Rest<'t> = Peekable<Chars<'t>>;

fn read_key(chars: &mut Rest<'_>, line: usize) -> Result<String, MalformedEscape> {
    let mut key = Units::default();
    while let Some(character) = chars.next_if(|c| !is_blank(*c) && !matches!(c, '=' | ':')) {
        key.push_or_unescape(character, chars, line)?;
    }
    Ok(key.into_text())
}

fn skip_separator(chars: &mut Rest<'_>) {
    while chars.next_if(|c| is_blank(*c)).is_some() {}
    if chars.next_if(|c| matches!(c, '=' | ':')).is_some() {
        while chars.next_if(|c| is_blank(*c)).is_some() {}
    }
}

fn read_value(chars: &mut Rest<'_>, line: usize) -> Result<String, MalformedEscape> {
    let mut value = Units::default();
    while let Some(character) = chars.next() {
        value.push_or_unescape(character, chars, line)?;
    }
    Ok(value.into_text())
}

/// UTF-16, because two `\u` escapes may make one character.
#[derive(Default)]
struct Units(Vec<u16>);

impl Units {
    fn push(&mut self, character: char) {
        self.0.extend_from_slice(character.encode_utf16(&mut [0; 2]));
    }

    fn push_or_unescape(&mut self, character: char, chars: &mut Rest<'_>, line: usize) -> Result<(), MalformedEscape> {
        if character != '\\' {
            self.push(character);
            return Ok(());
        }
        match chars.next() {
            Some('t') => self.push('\t'),
            Some('n') => self.push('\n'),
            Some('r') => self.push('\r'),
            Some('f') => self.push('\u{c}'),
            Some('u') => self.0.push(read_unit(chars).ok_or(MalformedEscape { line })?),
            Some(other) => self.push(other),
            None => {}
        }
        Ok(())
    }

    /// Half a pair of surrogates alone becomes U+FFFD.
    fn into_text(self) -> String {
        String::from_utf16_lossy(&self.0)
    }
}

fn read_unit(chars: &mut Rest<'_>) -> Option<u16> {
    let mut unit = 0_u32;
    for _ in 0..4 {
        unit = unit << 4 | chars.next()?.to_digit(16)?;
    }
    u16::try_from(unit).ok()
}

/// One `key=value` line per pair.
///
/// Only what a reader would take otherwise is escaped: Java's broker escapes nothing at all, and people read this text.
#[must_use]
pub fn write<'p>(pairs: impl IntoIterator<Item = (&'p str, &'p str)>) -> String {
    let mut text = String::new();
    for (key, value) in pairs {
        for (position, character) in key.chars().enumerate() {
            let comment = position == 0 && matches!(character, '#' | '!');
            escape(character, comment || matches!(character, '=' | ':' | ' '), &mut text);
        }
        text.push('=');
        let mut leading = true;
        for character in value.chars() {
            leading = leading && character == ' ';
            escape(character, leading, &mut text);
        }
        text.push('\n');
    }
    text
}

fn escape(character: char, has_meaning: bool, text: &mut String) {
    match character {
        '\\' => text.push_str("\\\\"),
        '\n' => text.push_str("\\n"),
        '\r' => text.push_str("\\r"),
        '\t' => text.push_str("\\t"),
        '\u{c}' => text.push_str("\\f"),
        _ => {
            if has_meaning {
                text.push('\\');
            }
            text.push(character);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(text: &str, expected: &[(&str, &str)]) {
        let expected: Vec<_> = expected.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        assert_eq!(parse(text), Ok(expected), "{text:?}");
    }

    #[test]
    fn texts_are_read_as_java_reads_them() {
        check("", &[]);
        check("# a=b\n  ! c=d\n\n \t\n", &[]);
        check("a=b\r\nc:d\ne f", &[("a", "b"), ("c", "d"), ("e", "f")]);
        check("  a \t= : b ", &[("a", ": b ")]);
        check("key\nnone=\n=v", &[("key", ""), ("none", ""), ("", "v")]);
        check("a=b,\\\n   c,\\\r\n   d\ne=\\\\\nf=g\\", &[("a", "b,c,"), ("d", ""), ("e", "\\"), ("f", "g")]);
        check("a\\=\\:\\ b=c\\td\\u0041\\uD83D\\uDE00\\x", &[("a=: b", "c\tdA\u{1F600}x")]);
        check("größe=1 # no comment", &[("größe", "1 # no comment")]);
        assert_eq!(parse("a=b\nc=\\u12x4"), Err(MalformedEscape { line: 2 }));
    }

    proptest! {
        #[test]
        fn pairs_come_back(pairs in proptest::collection::vec(("\\PC{1,6}|[ =:#!\\\\\t\n]{1,4}", "\\PC{0,6}|[ =:#!\\\\\t\n\r]{0,4}"), 0..5)) {
            let text = write(pairs.iter().map(|(key, value)| (key.as_str(), value.as_str())));
            prop_assert_eq!(parse(&text), Ok(pairs));
        }
    }
}
