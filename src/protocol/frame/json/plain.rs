//! Headers as stock clients write them, in one pass over their bytes.
//!
//! Known keys in any order, whole numbers, texts, `extFields` an object of texts, no spaces. `None` for anything else, right or
//! wrong: what a hot request costs is decided here, what is an error is decided by the tolerant reader.

use super::super::MAX_EXT_FIELDS;
use crate::protocol::codes::language;
use crate::protocol::command::{Command, ExtFields};

/// Fields of a send with some room.
const FIELDS_GUESS: usize = 16;

pub(super) fn decode(header: &[u8]) -> Option<Command> {
    let mut rest = Cursor { text: std::str::from_utf8(header).ok()?, at: 0 };
    let mut command = Command::default();
    rest.expect(b'{')?;
    if rest.take_if(b'}') {
        return rest.is_at_end().then_some(command);
    }
    loop {
        let key = rest.plain_text()?;
        rest.expect(b':')?;
        match key {
            "code" => command.code = rest.number()?,
            "flag" => command.flag = rest.number()?,
            "opaque" => command.opaque = rest.number()?,
            "version" => command.version = rest.number()?,
            "language" => command.language = language::number(rest.plain_text()?),
            "serializeTypeCurrentRPC" => {
                rest.plain_text()?;
            }
            "remark" => {
                let mut remark = String::new();
                rest.text(|piece| remark.push_str(piece))?;
                command.remark = Some(remark);
            }
            "extFields" => rest.fields(&mut command.ext)?,
            _ => return None,
        }
        if !rest.take_if(b',') {
            break;
        }
    }
    rest.expect(b'}')?;
    rest.is_at_end().then_some(command)
}

struct Cursor<'h> {
    text: &'h str,
    at: usize,
}

impl<'h> Cursor<'h> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn take_if(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    fn expect(&mut self, byte: u8) -> Option<()> {
        self.take_if(byte).then_some(())
    }

    fn is_at_end(&self) -> bool {
        self.at == self.text.len()
    }

    fn number(&mut self) -> Option<i32> {
        let start = self.at;
        self.take_if(b'-');
        let digits = self.at;
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
        // JSON knows no leading zeros, and -0 is not a whole number to it.
        let digits_max = if self.text[digits..].starts_with('0') { start + 1 } else { self.at };
        if self.at > digits_max {
            return None;
        }
        self.text.get(start..self.at)?.parse().ok()
    }

    /// A text without an escape.
    fn plain_text(&mut self) -> Option<&'h str> {
        self.expect(b'"')?;
        let run = self.run()?;
        self.expect(b'"')?;
        Some(run)
    }

    /// A text, piece by piece.
    fn text(&mut self, mut push: impl FnMut(&str)) -> Option<()> {
        self.expect(b'"')?;
        loop {
            push(self.run()?);
            if self.take_if(b'"') {
                return Some(());
            }
            push(self.escape()?.encode_utf8(&mut [0; 4]));
        }
    }

    /// Bytes up to a quote or an escape.
    fn run(&mut self) -> Option<&'h str> {
        let rest = &self.text.as_bytes()[self.at..];
        let length = rest.iter().position(|byte| matches!(byte, b'"' | b'\\' | 0..0x20))?;
        let run = self.text.get(self.at..self.at + length)?;
        self.at += length;
        Some(run)
    }

    fn escape(&mut self) -> Option<char> {
        self.expect(b'\\')?;
        let escaped = match self.peek()? {
            b'u' => {
                let digits = self.text.get(self.at + 1..self.at + 5)?;
                self.at += 4;
                let is_hex = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
                // Half of a surrogate pair is no character; the other reader puts the halves together.
                is_hex.then(|| u32::from_str_radix(digits, 16).ok().and_then(char::from_u32)).flatten()?
            }
            b'n' => '\n',
            b't' => '\t',
            b'r' => '\r',
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            same @ (b'"' | b'\\' | b'/') => char::from(same),
            _ => return None,
        };
        self.at += 1;
        Some(escaped)
    }

    fn fields(&mut self, ext: &mut ExtFields) -> Option<()> {
        self.expect(b'{')?;
        if self.take_if(b'}') {
            return Some(());
        }
        ext.reserve(FIELDS_GUESS, self.text.len() - self.at);
        loop {
            ext.begin(self.plain_text()?);
            self.expect(b':')?;
            self.text(|piece| ext.push_value(piece))?;
            ext.end();
            if ext.len() > MAX_EXT_FIELDS {
                return None;
            }
            if !self.take_if(b',') {
                return self.expect(b'}');
            }
        }
    }
}
