//! The values of one table after merging, each checked against its key.

use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use super::checked::DelayLevels;
use super::error::Place;
use super::keys::{Kind, Section};

/// A value of the right kind and within its bounds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// [`Kind::Bool`].
    Bool(bool),
    /// [`Kind::Int`], [`Kind::Bytes`] in bytes, [`Kind::Time`] in the unit of its key.
    Int(i64),
    /// [`Kind::Words`], [`Kind::Name`], [`Kind::Text`], [`Kind::Address`].
    Text(String),
    /// [`Kind::Path`].
    Path(PathBuf),
    /// [`Kind::Ip`].
    Ip(IpAddr),
    /// [`Kind::Endpoint`].
    Endpoint(SocketAddr),
    /// [`Kind::Addresses`] and [`Kind::List`], with the separator of the one-text form.
    List(Vec<String>, char),
    /// [`Kind::HoursOfDay`].
    Hours(Vec<u8>),
    /// [`Kind::Delays`].
    Delays(DelayLevels, String),
}

impl fmt::Display for Value {
    /// As it stands in a Java properties file.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Bool(value) => value.fmt(f),
            Value::Int(value) => value.fmt(f),
            Value::Text(value) | Value::Delays(_, value) => value.fmt(f),
            Value::Path(value) => value.display().fmt(f),
            Value::Ip(value) => value.fmt(f),
            Value::Endpoint(value) => value.fmt(f),
            Value::List(values, separator) => f.write_str(&values.join(&separator.to_string())),
            Value::Hours(hours) => {
                let hours: Vec<_> = hours.iter().map(|hour| format!("{hour:02}")).collect();
                f.write_str(&hours.join(";"))
            }
        }
    }
}

/// One value and where it came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The value.
    pub value: Value,
    /// Where it stands; none for defaults.
    pub place: Option<Place>,
}

/// The values of one table. Every key of the section is in it, but for computed ones that came to nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Values {
    /// Which table.
    pub section: Section,
    /// Where the table begins.
    pub place: Place,
    /// By key.
    pub entries: BTreeMap<&'static str, Entry>,
}

impl Values {
    /// All as text, as GET_BROKER_CONFIG shows them.
    pub fn effective(&self) -> BTreeMap<String, String> {
        self.entries.iter().map(|(key, entry)| ((*key).to_owned(), entry.value.to_string())).collect()
    }

    /// Where `key` stands, or else where the table begins.
    pub fn place(&self, key: &str) -> Place {
        let entry = self.entries.get(key).and_then(|entry| entry.place.as_ref());
        entry.unwrap_or(&self.place).clone()
    }

    /// Whether `key` is given anywhere, not only a default.
    pub fn stands(&self, key: &str) -> bool {
        let entry = self.entries.get(key);
        entry.is_some_and(|entry| entry.place.is_some())
    }

    pub fn bool(&self, key: &str) -> bool {
        match self.value(key) {
            Value::Bool(value) => *value,
            other => self.wrong(key, other),
        }
    }

    /// A number, size or time in the unit of its key; the bounds of the key fit in `T`.
    pub fn number<T: TryFrom<i64>>(&self, key: &str) -> T {
        match self.value(key) {
            value @ Value::Int(number) => T::try_from(*number).unwrap_or_else(|_| self.wrong(key, value)),
            other => self.wrong(key, other),
        }
    }

    pub fn duration(&self, key: &str) -> Duration {
        let Some(Kind::Time { unit, .. }) = self.section.key(key).map(|key| key.kind) else {
            panic!("{key} of {} is not a time", self.section.title());
        };
        let number: u64 = self.number(key);
        Duration::from_millis(number * unit.millis().unsigned_abs())
    }

    pub fn text(&self, key: &str) -> &str {
        match self.value(key) {
            Value::Text(value) => value,
            other => self.wrong(key, other),
        }
    }

    pub fn path(&self, key: &str) -> PathBuf {
        match self.value(key) {
            Value::Path(value) => value.clone(),
            other => self.wrong(key, other),
        }
    }

    pub fn optional_path(&self, key: &str) -> Option<PathBuf> {
        self.entries.contains_key(key).then(|| self.path(key))
    }

    pub fn ip(&self, key: &str) -> IpAddr {
        match self.value(key) {
            Value::Ip(value) => *value,
            other => self.wrong(key, other),
        }
    }

    pub fn endpoint(&self, key: &str) -> SocketAddr {
        match self.value(key) {
            Value::Endpoint(value) => *value,
            other => self.wrong(key, other),
        }
    }

    pub fn list(&self, key: &str) -> Vec<String> {
        match self.value(key) {
            Value::List(values, _) => values.clone(),
            other => self.wrong(key, other),
        }
    }

    pub fn hours_of_day(&self, key: &str) -> Vec<u8> {
        match self.value(key) {
            Value::Hours(hours) => hours.clone(),
            other => self.wrong(key, other),
        }
    }

    pub fn delay_levels(&self, key: &str) -> DelayLevels {
        match self.value(key) {
            Value::Delays(levels, _) => levels.clone(),
            other => self.wrong(key, other),
        }
    }

    fn value(&self, key: &str) -> &Value {
        match self.entries.get(key) {
            Some(entry) => &entry.value,
            None => panic!("{key} has no value in {}", self.section.title()),
        }
    }

    /// The table of keys and the code that reads it disagree; a test reads every key at its bounds.
    fn wrong(&self, key: &str, value: &Value) -> ! {
        panic!("{key} of {} is {value:?}", self.section.title());
    }
}
