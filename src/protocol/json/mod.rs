//! The JSON of Java's bodies (fastjson): read tolerantly, written as Java reads it.
//!
//! Beside standard JSON fastjson writes maps with numbers and even objects as keys: `{0:"x"}`, `{{"brokerName":"b",...}:5}`. Reading tries
//! standard JSON first, which nearly every body is; only then the text is rewritten once: bare keys get quotes, object keys become
//! strings that hold JSON, members that are null are left out (absent and null are the same to Java). Values of another type than
//! the field's are converted as fastjson does (`lenient`).
//!
//! Writing: compact, because Go clients take some bodies apart as text; number keys quoted, which every reader takes;
//! object keys raw, which is the only form Java takes. Nesting is bounded both here and in serde_json.

mod lenient;

use std::io;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::ser::{CharEscape, CompactFormatter, Formatter, Serializer};

use self::lenient::Lenient;

/// Deepest nesting that is read; serde_json has the same limit.
const DEPTH_MAX: usize = 128;

/// Largest body whose values are converted, because it is held as a tree of some ten times its size. Heartbeats have a few KiB.
const CONVERTED_BYTES_MAX: usize = 1 << 20;

/// Why a body is not what was expected.
#[derive(Debug, thiserror::Error)]
pub enum JsonError {
    /// Not JSON, not even with fastjson's liberties.
    #[error("JSON body: {expected} expected at byte {position}")]
    Syntax {
        /// What was expected.
        expected: &'static str,
        /// Where.
        position: usize,
    },
    /// JSON, but not of this type.
    #[error("JSON body: {0}")]
    Data(#[from] serde_json::Error),
}

/// Reads a body Java wrote.
///
/// # Errors
/// The text is not JSON even with fastjson's liberties, too deep, or does not fit the type.
pub fn from_java<T: DeserializeOwned>(body: &[u8]) -> Result<T, JsonError> {
    if let Ok(value) = serde_json::from_slice(body) {
        return Ok(value);
    }
    let standard = Rewriter::rewrite(body)?;
    match serde_json::from_slice(&standard) {
        Err(error) if standard.len() <= CONVERTED_BYTES_MAX => {
            // The first error names the line and column, that of the conversion does not.
            let converted = serde_json::from_slice(&standard).and_then(|tree| T::deserialize(Lenient(tree)));
            Ok(converted.map_err(|_| error)?)
        }
        read => Ok(read?),
    }
}

/// Writes a body for Java to read.
///
/// Object members come in the order of the struct's fields, which are declared alphabetically like fastjson's output.
#[must_use]
pub fn to_java<T: Serialize>(value: &T) -> Vec<u8> {
    let mut out = Vec::with_capacity(256);
    let mut serializer = Serializer::with_formatter(&mut out, JavaFormatter::default());
    let written = value.serialize(&mut serializer);
    debug_assert!(written.is_ok(), "a body has string or number keys and writes to memory: {written:?}");
    out
}

/// Rewrites fastjson's text as standard JSON, in one pass with a stack of its own.
struct Rewriter<'b> {
    input: &'b [u8],
    at: usize,
    out: Vec<u8>,
    open: Vec<Open>,
}

#[derive(Clone, Copy)]
struct Open {
    close: u8,
    has_members: bool,
}

impl<'b> Rewriter<'b> {
    fn rewrite(input: &'b [u8]) -> Result<Vec<u8>, JsonError> {
        let mut rewriter = Rewriter { input, at: 0, out: Vec::with_capacity(input.len() + 64), open: Vec::new() };
        rewriter.value()?;
        while let Some(open) = rewriter.open.last().copied() {
            rewriter.member(open)?;
        }
        match rewriter.peek() {
            None => Ok(rewriter.out),
            Some(_) => Err(rewriter.expected("the end")),
        }
    }

    /// Writes a scalar, or opens an object or array.
    fn value(&mut self) -> Result<(), JsonError> {
        match self.peek() {
            Some(b'{') => self.enter(b'{', b'}'),
            Some(b'[') => self.enter(b'[', b']'),
            Some(b'"') => self.string(),
            Some(_) => {
                let scalar = self.bare()?;
                self.out.extend_from_slice(scalar);
                Ok(())
            }
            None => Err(self.expected("a value")),
        }
    }

    fn enter(&mut self, character: u8, close: u8) -> Result<(), JsonError> {
        if self.open.len() == DEPTH_MAX {
            return Err(self.expected("less nesting"));
        }
        self.at += 1;
        self.out.push(character);
        self.open.push(Open { close, has_members: false });
        Ok(())
    }

    /// The next member of the innermost object or array, or its end.
    fn member(&mut self, open: Open) -> Result<(), JsonError> {
        if self.peek() == Some(open.close) {
            self.at += 1;
            self.out.push(open.close);
            self.open.pop();
            return Ok(());
        }
        // A null member writes nothing, so the comma of the input says nothing about the one of the output.
        if self.peek() == Some(b',') {
            self.at += 1;
        }
        let before = self.out.len();
        if open.has_members {
            self.out.push(b',');
        }
        if open.close == b'}' {
            self.key()?;
            self.literal(b':', "a colon")?;
            self.out.push(b':');
            if self.is_null() {
                self.at += 4;
                self.out.truncate(before);
                return Ok(());
            }
        }
        if let Some(innermost) = self.open.last_mut() {
            innermost.has_members = true;
        }
        self.value()
    }

    fn key(&mut self) -> Result<(), JsonError> {
        match self.peek() {
            Some(b'"') => self.string(),
            Some(b'{') => {
                let object = self.object_key()?;
                self.quote(object);
                Ok(())
            }
            _ => {
                let bare = self.bare()?;
                self.quote(bare);
                Ok(())
            }
        }
    }

    fn quote(&mut self, text: &[u8]) {
        self.out.push(b'"');
        for byte in text {
            if matches!(byte, b'"' | b'\\') {
                self.out.push(b'\\');
            }
            self.out.push(*byte);
        }
        self.out.push(b'"');
    }

    /// A flat object used as key: its own text.
    fn object_key(&mut self) -> Result<&'b [u8], JsonError> {
        let start = self.at;
        self.at += 1;
        loop {
            match self.input.get(self.at) {
                Some(b'"') => {
                    self.skip_string()?;
                }
                Some(b'}') => {
                    self.at += 1;
                    return Ok(&self.input[start..self.at]);
                }
                Some(b'{' | b'[') | None => return Err(self.expected("the end of an object key")),
                Some(_) => self.at += 1,
            }
        }
    }

    fn string(&mut self) -> Result<(), JsonError> {
        let string = self.skip_string()?;
        self.out.extend_from_slice(string);
        Ok(())
    }

    /// A string with its quotes.
    fn skip_string(&mut self) -> Result<&'b [u8], JsonError> {
        let start = self.at;
        self.at += 1;
        loop {
            match self.input.get(self.at) {
                Some(b'\\') => self.at += 2,
                Some(b'"') => {
                    self.at += 1;
                    return Ok(&self.input[start..self.at]);
                }
                Some(_) => self.at += 1,
                None => return Err(self.expected("the end of a string")),
            }
        }
    }

    /// A number, a literal or a bare key.
    fn bare(&mut self) -> Result<&'b [u8], JsonError> {
        let start = self.at;
        while let Some(byte) = self.input.get(self.at)
            && !byte.is_ascii_whitespace()
            && !matches!(byte, b':' | b',' | b'{' | b'}' | b'[' | b']' | b'"')
        {
            self.at += 1;
        }
        if start == self.at {
            return Err(self.expected("a value or key"));
        }
        Ok(&self.input[start..self.at])
    }

    fn literal(&mut self, byte: u8, expected: &'static str) -> Result<(), JsonError> {
        if self.peek() != Some(byte) {
            return Err(self.expected(expected));
        }
        self.at += 1;
        Ok(())
    }

    fn is_null(&mut self) -> bool {
        self.peek();
        let rest = self.input.get(self.at..).unwrap_or_default();
        rest.strip_prefix(b"null").is_some_and(|after| after.first().is_none_or(|byte| !byte.is_ascii_alphanumeric()))
    }

    /// The next byte that is no white space.
    fn peek(&mut self) -> Option<u8> {
        while let Some(byte) = self.input.get(self.at) {
            if !byte.is_ascii_whitespace() {
                return Some(*byte);
            }
            self.at += 1;
        }
        None
    }

    fn expected(&self, expected: &'static str) -> JsonError {
        JsonError::Syntax { expected, position: self.at.min(self.input.len()) }
    }
}

/// First character of a key that is written raw, without quotes: an object as key. No name of RocketMQ can hold it.
const RAW_KEY: char = '\u{1}';

/// Compact JSON, except that keys after [`RAW_KEY`] lose their quotes and escapes.
///
/// The quote of a key is written with what follows it, when it is known whether the key is raw. Number keys of bodies are
/// `i32` and `i64`; the other widths are not served.
#[derive(Default)]
struct JavaFormatter {
    key: Key,
}

#[derive(Default, PartialEq)]
enum Key {
    /// Not in a key.
    #[default]
    None,
    /// Before its first character.
    Opening,
    Quoted,
    Raw,
}

impl JavaFormatter {
    fn open_key<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        if self.key == Key::Opening {
            self.key = Key::Quoted;
            writer.write_all(b"\"")?;
        }
        Ok(())
    }
}

impl Formatter for JavaFormatter {
    fn begin_object_key<W: ?Sized + io::Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        self.key = Key::Opening;
        CompactFormatter.begin_object_key(writer, first)
    }

    fn begin_string<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        match self.key {
            Key::None => writer.write_all(b"\""),
            _ => Ok(()),
        }
    }

    fn write_string_fragment<W: ?Sized + io::Write>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        self.open_key(writer)?;
        writer.write_all(fragment.as_bytes())
    }

    fn write_char_escape<W: ?Sized + io::Write>(&mut self, writer: &mut W, escape: CharEscape) -> io::Result<()> {
        match (&self.key, &escape) {
            (Key::Opening, CharEscape::AsciiControl(1)) => {
                self.key = Key::Raw;
                Ok(())
            }
            // The key itself is JSON already: what it escapes stays escaped, its quotes and backslashes are bare.
            (Key::Raw, CharEscape::Quote) => writer.write_all(b"\""),
            (Key::Raw, CharEscape::ReverseSolidus) => writer.write_all(b"\\"),
            _ => {
                self.open_key(writer)?;
                CompactFormatter.write_char_escape(writer, escape)
            }
        }
    }

    fn end_string<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.open_key(writer)?;
        let key = std::mem::take(&mut self.key);
        if key == Key::Raw { Ok(()) } else { writer.write_all(b"\"") }
    }

    fn write_i32<W: ?Sized + io::Write>(&mut self, writer: &mut W, value: i32) -> io::Result<()> {
        self.open_key(writer)?;
        CompactFormatter.write_i32(writer, value)
    }

    fn write_i64<W: ?Sized + io::Write>(&mut self, writer: &mut W, value: i64) -> io::Result<()> {
        self.open_key(writer)?;
        CompactFormatter.write_i64(writer, value)
    }
}

/// `#[serde(with = "object_keys")]`: a map whose keys are objects, in fastjson's form.
pub mod object_keys {
    use std::collections::BTreeMap;
    use std::fmt;
    use std::marker::PhantomData;

    use serde::de::{DeserializeOwned, Deserializer, Error as _, MapAccess, Visitor};
    use serde::ser::{Error as _, SerializeMap, Serializer};
    use serde::{Deserialize, Serialize};

    use super::RAW_KEY;

    /// Writes the map; only [`to_java`](super::to_java) takes the marks off the keys.
    ///
    /// # Errors
    /// Those of the serializer.
    pub fn serialize<K, V, S>(map: &BTreeMap<K, V>, serializer: S) -> Result<S::Ok, S::Error>
    where
        K: Serialize,
        V: Serialize,
        S: Serializer,
    {
        let mut out = serializer.serialize_map(Some(map.len()))?;
        for (key, value) in map {
            let key = serde_json::to_string(key).map_err(S::Error::custom)?;
            out.serialize_entry(&format!("{RAW_KEY}{key}"), value)?;
        }
        out.end()
    }

    /// Reads the map out of keys that are strings of JSON.
    ///
    /// # Errors
    /// A key is not the object it should be.
    pub fn deserialize<'de, K, V, D>(deserializer: D) -> Result<BTreeMap<K, V>, D::Error>
    where
        K: DeserializeOwned + Ord,
        V: Deserialize<'de>,
        D: Deserializer<'de>,
    {
        struct MapVisitor<K, V>(PhantomData<(K, V)>);
        impl<'de, K: DeserializeOwned + Ord, V: Deserialize<'de>> Visitor<'de> for MapVisitor<K, V> {
            type Value = BTreeMap<K, V>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a map with objects as keys")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Self::Value, A::Error> {
                let mut map = BTreeMap::new();
                while let Some((key, value)) = access.next_entry::<String, V>()? {
                    let key = serde_json::from_str(&key).map_err(A::Error::custom)?;
                    map.insert(key, value);
                }
                Ok(map)
            }
        }
        deserializer.deserialize_map(MapVisitor(PhantomData))
    }
}

#[cfg(test)]
mod tests;
