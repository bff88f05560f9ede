//! What fastjson makes of a value that is not of the field's type, because clients rely on it: the Go client's `codeSet` is
//! numbers in quotes, the C++ client (Python and Node on top of it) writes `subVersion` in quotes and enums as ordinals.
//!
//! ```text
//!   wanted     given            taken as
//!   number     "97"             97
//!   bool       "true", 0, 1     true, false, true
//!   string     97, true         "97", "true"
//!   enum       1                the second constant
//! ```

use serde::de::value::{MapDeserializer, SeqDeserializer};
use serde::de::{Deserializer, Error as _, IntoDeserializer, Visitor};
use serde_json::{Error, Value};

/// A value that is converted to what the type wants.
pub(super) struct Lenient(pub(super) Value);

impl Lenient {
    fn number<'de, V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match &self.0 {
            Value::String(text) => match text.trim().parse() {
                Ok(number) => visitor.visit_i64(number),
                Err(_) => self.0.deserialize_any(visitor),
            },
            _ => self.0.deserialize_any(visitor),
        }
    }

    fn text<'de, V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match &self.0 {
            Value::Number(number) => visitor.visit_string(number.to_string()),
            Value::Bool(value) => visitor.visit_string(value.to_string()),
            _ => self.0.deserialize_any(visitor),
        }
    }
}

impl<'de> Deserializer<'de> for Lenient {
    type Error = Error;

    /// Members and elements stay lenient; map keys are strings, also where the type wants numbers.
    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.0 {
            Value::Array(elements) => visitor.visit_seq(SeqDeserializer::new(elements.into_iter().map(Lenient))),
            Value::Object(members) => {
                let members = members.into_iter().map(|(key, value)| (Lenient(Value::String(key)), Lenient(value)));
                visitor.visit_map(MapDeserializer::new(members))
            }
            scalar => scalar.deserialize_any(visitor),
        }
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let value = match &self.0 {
            Value::String(text) => text.trim().parse().ok(),
            Value::Number(number) => number.as_i64().map(|number| number == 1),
            _ => None,
        };
        match value {
            Some(value) => visitor.visit_bool(value),
            None => self.0.deserialize_any(visitor),
        }
    }

    fn deserialize_i8<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.number(visitor)
    }

    fn deserialize_i16<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.number(visitor)
    }

    fn deserialize_i32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.number(visitor)
    }

    fn deserialize_i64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.number(visitor)
    }

    fn deserialize_u8<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.number(visitor)
    }

    fn deserialize_u16<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.number(visitor)
    }

    fn deserialize_u32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.number(visitor)
    }

    fn deserialize_u64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.number(visitor)
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.text(visitor)
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.text(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        if self.0.is_null() { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        let Value::Number(ordinal) = &self.0 else {
            return self.0.deserialize_enum(name, variants, visitor);
        };
        match ordinal.as_u64().and_then(|ordinal| u32::try_from(ordinal).ok()) {
            Some(ordinal) => visitor.visit_enum(ordinal.into_deserializer()),
            None => Err(Error::custom(format!("{ordinal} is no constant of {name}"))),
        }
    }

    serde::forward_to_deserialize_any! {
        i128 u128 f32 f64 char bytes byte_buf unit unit_struct seq tuple tuple_struct map struct identifier ignored_any
    }
}

impl IntoDeserializer<'_, Error> for Lenient {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}
