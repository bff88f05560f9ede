//! The one table of keys. Defaults, `mqcontainer check`, `container.toml` and docs/configuration.md follow it.

mod broker;
mod container;
mod dledger;
mod group;
mod java;
mod replication;
mod store;

use super::units::{TimeUnit, show_bytes};

/// Which table of the TOML a key belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Section {
    /// `[container]`.
    Container,
    /// `[http]`.
    Http,
    /// `[namesrv]`.
    Namesrv,
    /// `[defaults]`, `[[broker]]` and `.conf` files.
    Broker,
}

impl Section {
    /// All, in the order of `container.toml`.
    pub const ALL: [Section; 4] = [Section::Container, Section::Http, Section::Namesrv, Section::Broker];

    /// As it is written in messages.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Section::Container => "[container]",
            Section::Http => "[http]",
            Section::Namesrv => "[namesrv]",
            Section::Broker => "[[broker]]",
        }
    }

    /// The implemented keys.
    pub fn keys(self) -> impl Iterator<Item = &'static Key> {
        let tables: &[&[Key]] = match self {
            Section::Container => &[container::CONTAINER],
            Section::Http => &[container::HTTP],
            Section::Namesrv => &[container::NAMESRV],
            Section::Broker => &[broker::KEYS, store::KEYS, replication::KEYS, group::KEYS, dledger::KEYS],
        };
        tables.iter().copied().flatten()
    }

    /// The keys that are refused unless they have one value, because ignoring them would lose or expose messages.
    #[must_use]
    pub fn refused(self) -> &'static [Refused] {
        match self {
            Section::Broker => java::REFUSED,
            _ => &[],
        }
    }

    /// The names Java 5.5.0 knows and this program does not implement.
    pub fn known_to_java(self) -> impl Iterator<Item = &'static str> {
        java::names(self).filter(move |name| self.key(name).is_none())
    }

    /// Names people copy from each other and no RocketMQ 5 reads, each with what to say about it.
    #[must_use]
    pub fn folklore(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Section::Broker => java::FOLKLORE,
            _ => &[],
        }
    }

    /// The implemented key of that name.
    #[must_use]
    pub fn key(self, name: &str) -> Option<&'static Key> {
        self.keys().find(|key| key.name == name)
    }

    /// The table that implements `name` when this one does not.
    #[must_use]
    pub fn elsewhere(self, name: &str) -> Option<&'static str> {
        let mut others = Section::ALL.into_iter().filter(|other| *other != self);
        others.find(|other| other.key(name).is_some()).map(Section::title)
    }

    /// The known name nearest to `name`: same letters in another case, or at most a third of the letters changed.
    #[must_use]
    pub fn nearest(self, name: &str) -> Option<&'static str> {
        let names = self
            .keys()
            .map(|key| key.name)
            .chain(self.refused().iter().map(|refused| refused.name))
            .chain(self.known_to_java());
        nearest(name, names)
    }
}

/// The candidate with the smallest edit distance to `name`, case not counted, if that is at most a third of its length.
pub fn nearest<'a>(name: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let lower = name.to_lowercase();
    candidates
        .map(|candidate| (edit_distance(&lower, &candidate.to_lowercase()), candidate))
        .min_by_key(|(distance, _)| *distance)
        .filter(|(distance, candidate)| distance * 3 <= candidate.len())
        .map(|(_, candidate)| candidate)
}

/// Levenshtein's distance in characters.
fn edit_distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, to) in b.iter().enumerate() {
            let substitute = diagonal + usize::from(from != *to);
            diagonal = row[j + 1];
            row[j + 1] = substitute.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

/// One implemented key.
#[derive(Debug)]
pub struct Key {
    /// Java's spelling; our own keys are `limits.snake_case` and `raft.snake_case`.
    pub name: &'static str,
    /// What its values look like.
    pub kind: Kind,
    /// Its value when it is given nowhere.
    pub default: Default,
    /// Whether UPDATE_BROKER_CONFIG (25) may change it while the process runs.
    pub reloadable: bool,
    /// One sentence.
    pub doc: &'static str,
}

impl Key {
    const fn new(name: &'static str, kind: Kind, default: &'static str, doc: &'static str) -> Key {
        Key { name, kind, default: Default::Value(default), reloadable: false, doc }
    }

    /// The default follows from something else, as `words` say.
    const fn computed(name: &'static str, kind: Kind, words: &'static str, doc: &'static str) -> Key {
        Key { default: Default::Computed(words), ..Key::new(name, kind, "", doc) }
    }

    const fn required(name: &'static str, kind: Kind, doc: &'static str) -> Key {
        Key { default: Default::Required, ..Key::new(name, kind, "", doc) }
    }

    const fn reloadable(self) -> Key {
        Key { reloadable: true, ..self }
    }
}

/// The value of a key that is given nowhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Default {
    /// This text, read as if it stood in a file.
    Value(&'static str),
    /// It follows from other values or from the machine, in these words.
    Computed(&'static str),
    /// It must be given.
    Required,
}

/// A key that must have `allowed` as its value, or be absent.
#[derive(Debug)]
pub struct Refused {
    /// Java's spelling.
    pub name: &'static str,
    /// The only value accepted, Java's default.
    pub allowed: &'static str,
    /// Why no other value is.
    pub why: &'static str,
}

/// What the values of a key look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// true or false.
    Bool,
    /// A whole number.
    Int {
        /// Smallest.
        min: i64,
        /// Largest.
        max: i64,
    },
    /// Bytes, a number or "1GiB".
    Bytes {
        /// Smallest.
        min: i64,
        /// Largest.
        max: i64,
    },
    /// A time, a number of `unit`s or "72h".
    Time {
        /// What a plain number counts.
        unit: TimeUnit,
        /// Smallest, in `unit`s.
        min: i64,
        /// Largest, in `unit`s.
        max: i64,
    },
    /// One of these words.
    Words(&'static [&'static str]),
    /// The name of a cluster or broker: letters, digits and `_-.|%`, at most 127.
    Name,
    /// Any text.
    Text,
    /// A path; relative ones start at the working directory.
    Path,
    /// An IP address.
    Ip,
    /// `ip:port`.
    Endpoint,
    /// `host:port`, or nothing.
    Address,
    /// `host:port` several times, a list or one text separated by `;`.
    Addresses,
    /// Texts, a list or one text with this separator.
    List(char),
    /// `n0-host:port` several times, a list or one text separated by `;`.
    Peers,
    /// `n0`: a letter and digits, or nothing.
    Member,
    /// Such ids, a list or one text separated by `;`.
    Members,
    /// Two times in milliseconds, the shorter first, a list or one text separated by `;`.
    Span {
        /// Smallest of both.
        min: i64,
        /// Largest of both.
        max: i64,
    },
    /// Hours of the day, 00 to 23, separated by `;`.
    HoursOfDay,
    /// Delays such as `1s 5m 2h`, separated by spaces.
    Delays,
}

impl Kind {
    /// What a value must be, in words for messages and the documentation.
    #[must_use]
    pub fn describe(&self) -> String {
        match *self {
            Kind::Bool => "true or false".into(),
            Kind::Int { min, max } => format!("number, {min} to {max}"),
            Kind::Bytes { min, max } => {
                format!("bytes, {} to {}", show_bytes(min), show_bytes(max))
            }
            Kind::Time { unit, min, max } => {
                let suffix = unit.suffix();
                format!("time in {suffix}, {min}{suffix} to {max}{suffix}")
            }
            Kind::Words(words) => format!("one of {}", words.join(", ")),
            Kind::Name => "name of letters, digits and _-.|%, at most 127 characters".into(),
            Kind::Text => "text".into(),
            Kind::Path => "path".into(),
            Kind::Ip => "IP address".into(),
            Kind::Endpoint => "ip:port".into(),
            Kind::Address => "host:port".into(),
            Kind::Addresses => "list of host:port, or one text separated by ;".into(),
            Kind::List(separator) => format!("list, or one text separated by {separator}"),
            Kind::Peers => "list of n0-host:port, or one text separated by ;".into(),
            Kind::Member => "id such as n0".into(),
            Kind::Members => "list of ids such as n0, or one text separated by ;".into(),
            Kind::Span { min, max } => {
                format!("two times in ms, the shorter first, {min}ms to {max}ms, as a list or one text separated by ;")
            }
            Kind::HoursOfDay => "hours of the day, 00 to 23, separated by ;".into(),
            Kind::Delays => "delays such as \"1s 5m 2h\", separated by spaces".into(),
        }
    }
}

const PORT: Kind = Kind::Int { min: 1, max: 65535 };
/// `listenPort` - 2 is a port too.
const MAIN_PORT: Kind = Kind::Int { min: 3, max: 65534 };
const I32_MAX: i64 = i32::MAX as i64;

const fn int(min: i64, max: i64) -> Kind {
    Kind::Int { min, max }
}

const fn bytes(min: i64, max: i64) -> Kind {
    Kind::Bytes { min, max }
}

const fn millis(min: i64, max: i64) -> Kind {
    Kind::Time { unit: TimeUnit::Millis, min, max }
}
