//! Every header Java reads: unknown keys are skipped, nulls are absent, field values may be numbers or booleans, the language may be a
//! name or a number. No document tree is built; nesting is bounded by serde_json (128).

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::super::{FrameError, MAX_EXT_FIELDS};
use crate::protocol::codes::language;
use crate::protocol::command::{Command, ExtFields};

pub(super) fn decode(header: &[u8]) -> Result<Command, FrameError> {
    let mut command = Command::default();
    let mut deserializer = serde_json::Deserializer::from_slice(header);
    deserializer
        .deserialize_map(HeaderVisitor(&mut command))
        .and_then(|()| deserializer.end())
        .map_err(|error| FrameError::Json(error.to_string()))?;
    if command.ext.len() > MAX_EXT_FIELDS {
        return Err(FrameError::TooManyFields);
    }
    Ok(command)
}

enum Key {
    Code,
    Language,
    Version,
    Opaque,
    Flag,
    Remark,
    ExtFields,
    Unknown,
}

impl<'de> serde::Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct KeyVisitor;
        impl Visitor<'_> for KeyVisitor {
            type Value = Key;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a header key")
            }
            fn visit_str<E: Error>(self, key: &str) -> Result<Key, E> {
                Ok(match key {
                    "code" => Key::Code,
                    "language" => Key::Language,
                    "version" => Key::Version,
                    "opaque" => Key::Opaque,
                    "flag" => Key::Flag,
                    "remark" => Key::Remark,
                    "extFields" => Key::ExtFields,
                    _ => Key::Unknown,
                })
            }
        }
        deserializer.deserialize_identifier(KeyVisitor)
    }
}

struct HeaderVisitor<'c>(&'c mut Command);

impl<'de> Visitor<'de> for HeaderVisitor<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a header object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let command = self.0;
        while let Some(key) = map.next_key()? {
            match key {
                Key::Code => command.code = map.next_value()?,
                Key::Language => command.language = map.next_value_seed(LanguageSeed)?,
                Key::Version => command.version = map.next_value()?,
                Key::Opaque => command.opaque = map.next_value()?,
                Key::Flag => command.flag = map.next_value()?,
                Key::Remark => command.remark = map.next_value()?,
                Key::ExtFields => map.next_value_seed(ExtSeed(&mut command.ext))?,
                Key::Unknown => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(())
    }
}

struct LanguageSeed;

impl<'de> DeserializeSeed<'de> for LanguageSeed {
    type Value = u8;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<u8, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl Visitor<'_> for LanguageSeed {
    type Value = u8;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a language name or number")
    }
    fn visit_str<E: Error>(self, name: &str) -> Result<u8, E> {
        Ok(language::number(name))
    }
    fn visit_u64<E: Error>(self, number: u64) -> Result<u8, E> {
        Ok(u8::try_from(number).unwrap_or(language::OTHER))
    }
    fn visit_unit<E: Error>(self) -> Result<u8, E> {
        Ok(language::JAVA)
    }
}

/// `extFields`: an object or null.
struct ExtSeed<'e>(&'e mut ExtFields);

impl<'de> DeserializeSeed<'de> for ExtSeed<'_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for ExtSeed<'_> {
    type Value = ();
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of header fields")
    }
    fn visit_unit<E: Error>(self) -> Result<(), E> {
        Ok(())
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let ext = self.0;
        while map.next_key_seed(NameSeed(ext))?.is_some() {
            map.next_value_seed(ValueSeed(ext))?;
            if ext.len() > MAX_EXT_FIELDS {
                return Err(A::Error::custom(FrameError::TooManyFields));
            }
        }
        Ok(())
    }
}

/// Opens a field with its name; the value seed fills or drops it.
struct NameSeed<'e>(&'e mut ExtFields);

impl<'de> DeserializeSeed<'de> for NameSeed<'_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_identifier(self)
    }
}

impl Visitor<'_> for NameSeed<'_> {
    type Value = ();
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a field name")
    }
    fn visit_str<E: Error>(self, name: &str) -> Result<(), E> {
        self.0.begin(name);
        Ok(())
    }
}

struct ValueSeed<'e>(&'e mut ExtFields);

impl<'de> DeserializeSeed<'de> for ValueSeed<'_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for ValueSeed<'_> {
    type Value = ();
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a field value")
    }
    fn visit_str<E: Error>(self, value: &str) -> Result<(), E> {
        self.0.finish(value);
        Ok(())
    }
    fn visit_bool<E: Error>(self, value: bool) -> Result<(), E> {
        self.0.finish(value);
        Ok(())
    }
    fn visit_i64<E: Error>(self, value: i64) -> Result<(), E> {
        self.0.finish(value);
        Ok(())
    }
    fn visit_u64<E: Error>(self, value: u64) -> Result<(), E> {
        self.0.finish(value);
        Ok(())
    }
    fn visit_f64<E: Error>(self, value: f64) -> Result<(), E> {
        self.0.finish(value);
        Ok(())
    }
    /// Null is an absent field.
    fn visit_unit<E: Error>(self) -> Result<(), E> {
        self.0.abandon();
        Ok(())
    }
    /// No header field of RocketMQ is an object or a list; it is skipped like an unknown key.
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        self.0.abandon();
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(())
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        self.0.abandon();
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(())
    }
}
