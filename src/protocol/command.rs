//! One request or response: Java's `RemotingCommand` after decoding and before encoding.

use std::fmt::Write as _;

use bytes::Bytes;

/// Which of the two header codecs a frame uses (the high byte of its second word).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Serialization {
    /// `SerializeType.JSON`, 0.
    #[default]
    Json,
    /// `SerializeType.ROCKETMQ`, 1.
    Binary,
}

/// Bit 0 of `flag`: the frame is a response.
pub const FLAG_RESPONSE: i32 = 1;
/// Bit 1 of `flag`: nobody waits for a response and none may be written.
pub const FLAG_ONEWAY: i32 = 2;

/// A decoded request or response.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Command {
    /// Request code or response code (`protocol::codes`).
    pub code: i32,
    /// Number of the sender's language in Java's `LanguageCode` (JAVA 0 ... RUST 12).
    pub language: u8,
    /// Ordinal of the sender's version in Java's `MQVersion`.
    pub version: i32,
    /// Request id; a response repeats the request's.
    pub opaque: i32,
    /// [`FLAG_RESPONSE`] and [`FLAG_ONEWAY`].
    pub flag: i32,
    /// Text for people; absent when `None`.
    pub remark: Option<String>,
    /// The header fields by Java field name.
    pub ext: ExtFields,
    /// The body.
    pub body: Body,
    /// The header codec this frame came in or goes out with.
    pub serialization: Serialization,
}

impl Command {
    /// Whether this is an answer.
    #[must_use]
    pub fn is_response(&self) -> bool {
        self.flag & FLAG_RESPONSE != 0
    }

    /// Whether the sender waits for no answer.
    #[must_use]
    pub fn is_oneway(&self) -> bool {
        self.flag & FLAG_ONEWAY != 0
    }
}

/// A body in one or more pieces that are written one after the other; pulls answer with slices of the log.
#[derive(Clone, Debug, Default)]
pub enum Body {
    /// No body.
    #[default]
    Empty,
    /// One piece.
    One(Bytes),
    /// Several pieces, sent in order without being joined.
    Many(Vec<Bytes>),
}

impl Body {
    /// Length in bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Body::Empty => 0,
            Body::One(bytes) => bytes.len(),
            Body::Many(pieces) => pieces.iter().map(Bytes::len).sum(),
        }
    }

    /// Whether there is no byte in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The pieces in order.
    #[must_use]
    pub fn pieces(&self) -> &[Bytes] {
        match self {
            Body::Empty => &[],
            Body::One(bytes) => std::slice::from_ref(bytes),
            Body::Many(pieces) => pieces,
        }
    }

    /// The body as one piece; copies only when there are several.
    #[must_use]
    pub fn to_bytes(&self) -> Bytes {
        match self {
            Body::Empty => Bytes::new(),
            Body::One(bytes) => bytes.clone(),
            Body::Many(pieces) => pieces.concat().into(),
        }
    }
}

impl PartialEq for Body {
    fn eq(&self, other: &Self) -> bool {
        self.to_bytes() == other.to_bytes()
    }
}

impl Eq for Body {}

impl From<Vec<u8>> for Body {
    fn from(bytes: Vec<u8>) -> Self {
        if bytes.is_empty() { Body::Empty } else { Body::One(bytes.into()) }
    }
}

impl From<Bytes> for Body {
    fn from(bytes: Bytes) -> Self {
        if bytes.is_empty() { Body::Empty } else { Body::One(bytes) }
    }
}

/// Header fields: names and values in one text with spans, so that a request costs two allocations, not two per field.
///
/// Names are unique: a later value of the same name replaces the earlier one.
#[derive(Clone, Default)]
pub struct ExtFields {
    text: String,
    spans: Vec<Span>,
    /// One bit per name, see [`mark`]: a name whose bit is new has no double to look for.
    marks: u64,
}

#[derive(Clone, Copy)]
struct Span {
    name_start: u32,
    value_start: u32,
    value_end: u32,
}

/// The bit of a name. The one-letter names of sends all have bits of their own.
fn mark(name: &str) -> u64 {
    let bytes = name.as_bytes();
    let (first, last) =
        (bytes.first().map_or(0, |byte| usize::from(*byte)), bytes.last().map_or(0, |byte| usize::from(*byte)));
    1 << ((first + 2 * last + 5 * bytes.len()) % 64)
}

impl ExtFields {
    /// No fields, with room for `fields` of them and `bytes` of text.
    #[must_use]
    pub fn with_capacity(fields: usize, bytes: usize) -> Self {
        ExtFields { text: String::with_capacity(bytes), spans: Vec::with_capacity(fields), marks: 0 }
    }

    /// Room for so many more fields and bytes of text.
    pub(super) fn reserve(&mut self, fields: usize, bytes: usize) {
        self.text.reserve(bytes);
        self.spans.reserve(fields);
    }

    /// Sets `name` to `value`.
    pub fn set(&mut self, name: &str, value: impl std::fmt::Display) {
        self.begin(name);
        self.finish(value);
    }

    /// Sets `name` to a text.
    pub fn set_text(&mut self, name: &str, value: &str) {
        self.begin(name);
        self.push_value(value);
        self.end();
    }

    /// Sets `name` to a whole number.
    pub fn set_number(&mut self, name: &str, value: impl itoa::Integer) {
        self.set_text(name, itoa::Buffer::new().format(value));
    }

    /// Opens a field: its name is there, its value comes with [`ExtFields::push_value`] and [`ExtFields::end`].
    ///
    /// Names and values come one after the other out of a parser, which cannot hold both.
    pub(super) fn begin(&mut self, name: &str) {
        let name_start = self.position();
        self.text.push_str(name);
        let value_start = self.position();
        self.spans.push(Span { name_start, value_start, value_end: value_start });
    }

    /// Adds to the value of the field opened last.
    pub(super) fn push_value(&mut self, piece: &str) {
        self.text.push_str(piece);
    }

    /// Closes the field opened last with this value.
    pub(super) fn finish(&mut self, value: impl std::fmt::Display) {
        let wrote = write!(self.text, "{value}");
        debug_assert!(wrote.is_ok(), "writing into a String does not fail");
        self.end();
    }

    /// Closes the field opened last; an earlier one of the same name is replaced.
    pub(super) fn end(&mut self) {
        let value_end = self.position();
        let Some((last, earlier)) = self.spans.split_last_mut() else {
            return;
        };
        last.value_end = value_end;
        let name = &self.text[last.name_start as usize..last.value_start as usize];
        let mark = mark(name);
        let is_new = self.marks & mark == 0;
        self.marks |= mark;
        if is_new {
            return;
        }
        let same =
            earlier.iter().position(|span| &self.text[span.name_start as usize..span.value_start as usize] == name);
        if let Some(same) = same {
            self.spans.remove(same);
        }
    }

    /// Drops the field opened last.
    pub(super) fn abandon(&mut self) {
        if let Some(last) = self.spans.pop() {
            self.text.truncate(last.name_start as usize);
        }
    }

    /// Sets `name` when there is a value (Java does not send null fields).
    pub fn set_some(&mut self, name: &str, value: Option<impl std::fmt::Display>) {
        if let Some(value) = value {
            self.set(name, value);
        }
    }

    /// The value of `name`.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.iter().find(|(key, _)| *key == name).map(|(_, value)| value)
    }

    /// All fields in the order they were set.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.spans.iter().map(|span| {
            let name = &self.text[span.name_start as usize..span.value_start as usize];
            let value = &self.text[span.value_start as usize..span.value_end as usize];
            (name, value)
        })
    }

    /// Number of fields.
    #[must_use]
    pub fn len(&self) -> usize {
        self.spans.len()
    }

    /// Whether there is no field.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.spans.is_empty()
    }

    /// A frame is at most 16 MiB, so positions fit in 32 bits.
    fn position(&self) -> u32 {
        u32::try_from(self.text.len()).unwrap_or(u32::MAX)
    }
}

impl PartialEq for ExtFields {
    /// Equal as maps: the order of fields does not count.
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len() && self.iter().all(|(name, value)| other.get(name) == Some(value))
    }
}

impl Eq for ExtFields {}

impl std::fmt::Debug for ExtFields {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}
