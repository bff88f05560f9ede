//! Typed views of the header fields, one struct per request or response, one file per family.
//!
//! ```text
//! ExtFields --decode--> XRequest<'_> (borrows the texts) --> requests/       requests/ --> XResponse --encode--> ExtFields
//! ```
//!
//! Each struct names its Java class; each field its Java name, which is the name on the wire. As in Java, unknown fields are ignored, an
//! absent optional field is `None`, booleans are true only for "true" in any case. Unlike Java, a required field that is
//! missing or no number is an error that says which one and what was there, not a log line and a null.

pub mod broker_admin;
pub mod client;
pub mod container;
pub mod group_admin;
pub mod namesrv;
pub mod offset;
pub mod pull;
pub mod query;
pub mod send;
pub mod slave;
pub mod stats_admin;
pub mod topic_admin;

use super::command::ExtFields;
use super::ids::{BrokerId, Millis, PhysicalOffset, QueueId, QueueOffset};

/// A header that does not hold what its request needs; answered with code 1 and this text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HeaderError {
    /// A required field is absent.
    #[error("{header}: the required field {field} is missing")]
    Missing {
        /// Java class of the header.
        header: &'static str,
        /// Name on the wire.
        field: &'static str,
    },
    /// A field cannot be read as its type.
    #[error("{header}: the field {field} is {value:?}, expected {expected}")]
    Malformed {
        /// Java class of the header.
        header: &'static str,
        /// Name on the wire.
        field: &'static str,
        /// What was there, cut to 64 characters.
        value: String,
        /// What should be there.
        expected: &'static str,
    },
}

/// A type a field can have.
pub trait FieldValue<'a>: Sized {
    /// How the type is called in errors.
    const EXPECTED: &'static str;
    /// Reads the text of the field.
    fn read(text: &'a str) -> Option<Self>;
    /// Sets the field.
    fn write(&self, name: &'static str, ext: &mut ExtFields);
}

impl<'a> FieldValue<'a> for &'a str {
    const EXPECTED: &'static str = "a text";
    fn read(text: &'a str) -> Option<Self> {
        Some(text)
    }
    fn write(&self, name: &'static str, ext: &mut ExtFields) {
        ext.set_text(name, self);
    }
}

impl<'a> FieldValue<'a> for bool {
    const EXPECTED: &'static str = "true or false";
    /// `Boolean.parseBoolean`: everything but "true" is false.
    fn read(text: &'a str) -> Option<Self> {
        Some(text.eq_ignore_ascii_case("true"))
    }
    fn write(&self, name: &'static str, ext: &mut ExtFields) {
        ext.set_text(name, if *self { "true" } else { "false" });
    }
}

macro_rules! numbers {
    ($($type:ty: $number:ty, $expected:literal, |$value:ident| $make:expr, |$this:ident| $take:expr;)*) => {$(
        impl<'a> FieldValue<'a> for $type {
            const EXPECTED: &'static str = $expected;
            fn read(text: &'a str) -> Option<Self> {
                let $value: $number = text.parse().ok()?;
                Some($make)
            }
            fn write(&self, name: &'static str, ext: &mut ExtFields) {
                let $this = *self;
                ext.set_number(name, $take);
            }
        }
    )*};
}

numbers! {
    i32: i32, "a 32-bit number", |value| value, |this| this;
    i64: i64, "a 64-bit number", |value| value, |this| this;
    QueueId: i32, "a 32-bit queue id", |value| QueueId(value), |this| this.0;
    QueueOffset: i64, "a 64-bit queue offset", |value| QueueOffset(value), |this| this.0;
    PhysicalOffset: i64, "a 64-bit commit log offset", |value| PhysicalOffset(value), |this| this.0;
    Millis: i64, "a time in milliseconds", |value| Millis(value), |this| this.0;
    BrokerId: i64, "a 64-bit broker id", |value| BrokerId(value), |this| this.0;
}

/// A field of a header struct: a plain type is required, an `Option` is not.
pub(crate) trait Slot<'a>: Sized {
    fn fill(header: &'static str, field: &'static str, text: Option<&'a str>) -> Result<Self, HeaderError>;
    fn put(&self, name: &'static str, ext: &mut ExtFields);
}

impl<'a, T: FieldValue<'a>> Slot<'a> for T {
    fn fill(header: &'static str, field: &'static str, text: Option<&'a str>) -> Result<Self, HeaderError> {
        let text = text.ok_or(HeaderError::Missing { header, field })?;
        T::read(text).ok_or_else(|| HeaderError::Malformed {
            header,
            field,
            value: text.chars().take(64).collect(),
            expected: T::EXPECTED,
        })
    }
    fn put(&self, name: &'static str, ext: &mut ExtFields) {
        self.write(name, ext);
    }
}

impl<'a, T: FieldValue<'a>> Slot<'a> for Option<T> {
    /// An empty text is an absent number: the binary codec cannot tell them apart.
    fn fill(header: &'static str, field: &'static str, text: Option<&'a str>) -> Result<Self, HeaderError> {
        match text {
            None => Ok(None),
            Some("") => Ok(T::read("")),
            text => T::fill(header, field, text).map(Some),
        }
    }
    fn put(&self, name: &'static str, ext: &mut ExtFields) {
        if let Some(value) = self {
            value.write(name, ext);
        }
    }
}

/// Defines one header: `Name<'a> = "JavaClass" { field: type => "javaName" [| "otherName"] [or default], }`.
///
/// Decoding goes once over the fields and matches their names, so that it costs one comparison chain, not one search per
/// field. Where two names are given both are read and the first is written.
macro_rules! header {
    (
        $(#[$doc:meta])*
        $name:ident $(<$life:lifetime>)? = $java:literal {
            $($(#[$field_doc:meta])* $field:ident: $type:ty => $wire:literal $(| $other:literal)? $(or $default:literal)?,)*
        }
    ) => {
        $(#[$doc])*
        #[doc = concat!("\n\nJava: `", $java, "`.")]
        #[derive(Clone, Debug, Default, PartialEq, Eq)]
        pub struct $name $(<$life>)? {
            $(
                $(#[$field_doc])*
                #[doc = concat!("`", $wire, "`.")]
                pub $field: $type,
            )*
        }

        impl $(<$life>)? $name $(<$life>)? {
            /// Reads the header fields.
            ///
            /// # Errors
            /// A required field is missing, or a number is none.
            pub fn decode(ext: &$($life)? $crate::protocol::command::ExtFields) -> Result<Self, $crate::protocol::headers::HeaderError> {
                $(let mut $field: Option<&str> = None;)*
                for (name, value) in ext.iter() {
                    match name {
                        $($wire $(| $other)? => $field = Some(value),)*
                        _ => {}
                    }
                }
                Ok($name {
                    $($field: header!(@fill $java, $wire, $field $(, $default)?),)*
                })
            }

            /// Sets the header fields; optional ones only when they have a value.
            pub fn encode(&self, ext: &mut $crate::protocol::command::ExtFields) {
                $($crate::protocol::headers::Slot::put(&self.$field, $wire, ext);)*
            }
        }
    };
    (@fill $java:literal, $wire:literal, $field:ident) => {
        $crate::protocol::headers::Slot::fill($java, $wire, $field)?
    };
    (@fill $java:literal, $wire:literal, $field:ident, $default:literal) => {
        match $field {
            None => $default,
            text => $crate::protocol::headers::Slot::fill($java, $wire, text)?,
        }
    };
}
pub(crate) use header;

header! {
    /// Fields any request may carry besides its own.
    RequestContext<'a> = "RpcRequestHeader, TopicRequestHeader" {
        /// Namespace of the client (v2).
        namespace: Option<&'a str> => "ns",
        /// Whether resource names already carry the namespace.
        namespaced: Option<bool> => "nsd",
        /// The broker the client means.
        broker_name: Option<&'a str> => "bname",
        /// Whether static topics still have to be mapped; `Some(false)` marks a forwarded request.
        logical: Option<bool> => "lo",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    header! {
        /// One field of each kind.
        Sample<'a> = "Sample" {
            /// Text.
            text: &'a str => "text" | "t",
            /// Number.
            number: i32 => "number",
            /// Default.
            flag: bool => "flag" or true,
            /// Optional.
            maybe: Option<i64> => "maybe",
        }
    }

    fn missing(field: &'static str) -> HeaderError {
        HeaderError::Missing { header: "Sample", field }
    }

    fn ext(fields: &[(&str, &str)]) -> ExtFields {
        let mut ext = ExtFields::default();
        for (name, value) in fields {
            ext.set(name, value);
        }
        ext
    }

    fn check(fields: &[(&str, &str)], expected: Result<Sample<'_>, HeaderError>) {
        let ext = ext(fields);
        assert_eq!(Sample::decode(&ext), expected);
        if let Ok(sample) = expected {
            let mut again = ExtFields::default();
            sample.encode(&mut again);
            assert_eq!(Sample::decode(&again), Ok(sample));
        }
    }

    #[test]
    fn fields_are_required_optional_or_have_a_default() {
        let full = Sample { text: "x", number: 7, flag: false, maybe: Some(-1) };
        check(&[("text", "x"), ("number", "7"), ("flag", "no"), ("maybe", "-1"), ("unknown", "")], Ok(full.clone()));
        check(&[("t", "x"), ("number", "7"), ("flag", "FALSE"), ("maybe", "-1")], Ok(full.clone()));
        let short = Sample { flag: true, maybe: None, ..full };
        check(&[("text", "x"), ("number", "+7")], Ok(short.clone()));
        check(&[("text", "x"), ("number", "7"), ("maybe", "")], Ok(short));
        check(&[("number", "7")], Err(missing("text")));
        check(&[("text", "x")], Err(missing("number")));
        check(
            &[("text", "x"), ("number", "seven")],
            Err(HeaderError::Malformed {
                header: "Sample",
                field: "number",
                value: "seven".into(),
                expected: "a 32-bit number",
            }),
        );
    }
}
