//! What can be wrong with a configuration. Every problem is kept, so that one run of `check` shows them all.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Where a key, table or file stands.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// As the user named the file.
    pub file: Arc<Path>,
    /// Counted from 1.
    pub line: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file.display(), self.line)
    }
}

/// One problem, shown as `file:line: what is wrong`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A file cannot be read.
    #[error("{}{}: {reason}", at(.place), .path.display())]
    Unreadable {
        /// The key that names it; none for the main file.
        place: Option<Place>,
        /// The file.
        path: PathBuf,
        /// The operating system's words.
        reason: String,
    },
    /// Not TOML.
    #[error("{place}: {message}")]
    Syntax {
        /// Where.
        place: Place,
        /// The parser's words.
        message: String,
    },
    /// A table of the TOML that does not exist.
    #[error("{place}: unknown table or key {name}{}", hint(.nearest))]
    UnknownTable {
        /// Where.
        place: Place,
        /// Its name.
        name: String,
        /// The known table that looks most like it.
        nearest: Option<&'static str>,
    },
    /// A table written in the wrong form.
    #[error("{place}: {name} must be written as {expected}")]
    WrongForm {
        /// Where.
        place: Place,
        /// Its name.
        name: String,
        /// How it is written.
        expected: &'static str,
    },
    /// A key nobody knows.
    #[error("{place}: unknown key {key} in {section}{}", hint_or_section(.nearest, .elsewhere))]
    UnknownKey {
        /// Where.
        place: Place,
        /// The key.
        key: String,
        /// The table it stands in.
        section: &'static str,
        /// The known key that looks most like it.
        nearest: Option<&'static str>,
        /// The table that does have such a key.
        elsewhere: Option<&'static str>,
    },
    /// A value of the wrong kind or out of bounds.
    #[error("{}{key} = {value}: expected {expected}", at(.place))]
    BadValue {
        /// Where; none for a value from the environment.
        place: Option<Place>,
        /// The key.
        key: String,
        /// The value as it stands there.
        value: String,
        /// What is accepted.
        expected: String,
    },
    /// `${...}` with another name than the three that are filled in.
    #[error("{place}: {key} = {value}: only ${{brokerName}}, ${{brokerId}} and ${{brokerClusterName}} are filled in")]
    BadSubstitution {
        /// Where.
        place: Place,
        /// The key.
        key: String,
        /// The value as it stands there.
        value: String,
    },
    /// A key that must be given is not.
    #[error("{place}: {key} is missing in {section}")]
    Missing {
        /// The table it should stand in.
        place: Place,
        /// The key.
        key: &'static str,
        /// The table's name.
        section: &'static str,
    },
    /// A value that Java accepts and this program must not ignore.
    #[error("{place}: {key} = {value}: {why}")]
    Unsupported {
        /// Where.
        place: Place,
        /// The key.
        key: &'static str,
        /// The value as it stands there.
        value: String,
        /// Why.
        why: &'static str,
    },
    /// Two values of one broker that cannot both be right.
    #[error("{place}: {what}")]
    Contradiction {
        /// Where the second stands.
        place: Place,
        /// Both, and the rule.
        what: String,
    },
    /// Two brokers with one identity.
    #[error("{place}: broker {identity} is already defined at {first}")]
    DuplicateIdentity {
        /// The second.
        place: Place,
        /// Java's canonical name.
        identity: String,
        /// The first.
        first: Place,
    },
    /// Two owners of one port.
    #[error("{place}: port {port} is {owner} and already {other} at {first}")]
    PortCollision {
        /// Where the second owner's port stands.
        place: Place,
        /// The port.
        port: u16,
        /// The second owner.
        owner: String,
        /// The first owner.
        other: String,
        /// Where the first owner's port stands.
        first: Place,
    },
    /// Two store directories that are equal or one inside the other.
    #[error("{0}")]
    PathCollision(Box<PathCollision>),
    /// Neither brokers nor a NameServer.
    #[error("{file}: nothing to run: add a [[broker]] or a [namesrv] table")]
    NothingToRun {
        /// The main file.
        file: String,
    },
    /// UPDATE_BROKER_CONFIG names a key that may not be changed over the wire; Java's words, code 16.
    #[error("Can not update config in black list.")]
    BlackListed {
        /// The key.
        key: String,
    },
    /// UPDATE_BROKER_CONFIG names a key that takes effect only at start.
    #[error("{key} cannot be changed while the broker runs: change it in {file} and restart the broker")]
    NotReloadable {
        /// The key.
        key: String,
        /// Where it is to be changed.
        file: String,
    },
    /// UPDATE_BROKER_CONFIG names a key of Java that this program does not implement.
    #[error("{key} is known to Java but not implemented by mqcontainer")]
    NotImplemented {
        /// The key.
        key: String,
    },
}

impl Error {
    /// Where to look, if it is somewhere.
    #[must_use]
    pub fn place(&self) -> Option<&Place> {
        match self {
            Error::Unreadable { place, .. } | Error::BadValue { place, .. } => place.as_ref(),
            Error::Syntax { place, .. }
            | Error::UnknownTable { place, .. }
            | Error::WrongForm { place, .. }
            | Error::UnknownKey { place, .. }
            | Error::BadSubstitution { place, .. }
            | Error::Missing { place, .. }
            | Error::Unsupported { place, .. }
            | Error::Contradiction { place, .. }
            | Error::DuplicateIdentity { place, .. }
            | Error::PortCollision { place, .. } => Some(place),
            Error::PathCollision(collision) => Some(&collision.place),
            Error::NothingToRun { .. }
            | Error::BlackListed { .. }
            | Error::NotReloadable { .. }
            | Error::NotImplemented { .. } => None,
        }
    }
}

/// Two store directories that are equal or one inside the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathCollision {
    /// Where the second path stands.
    pub place: Place,
    /// The second path, absolute.
    pub path: PathBuf,
    /// Whose it is.
    pub owner: String,
    /// "the same as", "inside" or "around".
    pub relation: &'static str,
    /// The first path, absolute.
    pub other_path: PathBuf,
    /// Whose it is.
    pub other: String,
    /// Where it stands.
    pub first: Place,
}

impl fmt::Display for PathCollision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (path, other_path) = (self.path.display(), self.other_path.display());
        write!(f, "{}: {path} is {} and {} {other_path}", self.place, self.owner, self.relation)?;
        write!(f, ", which is {} at {}", self.other, self.first)
    }
}

fn at(place: &Option<Place>) -> String {
    place.as_ref().map_or_else(String::new, |place| format!("{place}: "))
}

fn hint(nearest: &Option<&'static str>) -> String {
    nearest.map_or_else(String::new, |name| format!(", did you mean {name}?"))
}

fn hint_or_section(nearest: &Option<&'static str>, elsewhere: &Option<&'static str>) -> String {
    elsewhere.map_or_else(|| hint(nearest), |section| format!(", it belongs in {section}"))
}

/// All problems of one reading, in the order of file and line; never empty when returned as an error.
#[derive(Clone, Debug, Default, PartialEq, Eq, thiserror::Error)]
pub struct Errors(pub Vec<Error>);

impl Errors {
    /// The main file cannot be read.
    #[must_use]
    pub fn unreadable(path: &Path, error: &std::io::Error) -> Errors {
        let reason = format!("{error}; -c FILE names another, --help says what is in it");
        Errors(vec![Error::Unreadable { place: None, path: path.to_owned(), reason }])
    }

    /// Whether UPDATE_BROKER_CONFIG is to be answered with NO_PERMISSION (16) instead of an ordinary error.
    #[must_use]
    pub fn is_black_listed(&self) -> bool {
        matches!(self.0.as_slice(), [Error::BlackListed { .. }])
    }

    pub(crate) fn push(&mut self, error: Error) {
        self.0.push(error);
    }

    /// `value` if there is no problem.
    pub(crate) fn or<T>(mut self, value: Option<T>) -> Result<T, Errors> {
        self.0.sort_by(|a, b| a.place().cmp(&b.place()));
        // A mistake in [defaults] is found once for each broker.
        self.0.dedup();
        match value {
            Some(value) if self.0.is_empty() => Ok(value),
            _ => {
                assert!(!self.0.is_empty(), "no value and no reason");
                Err(self)
            }
        }
    }
}

impl fmt::Display for Errors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, error) in self.0.iter().enumerate() {
            if index > 0 {
                writeln!(f)?;
            }
            write!(f, "{error}")?;
        }
        Ok(())
    }
}

/// Something a user should know that does not stop the start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// Where it stands first.
    pub place: Place,
    /// The key.
    pub key: String,
    /// What about it.
    pub message: &'static str,
    /// How many more places have it.
    pub more: usize,
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}: {}", self.place, self.key, self.message)?;
        if self.more > 0 {
            write!(f, " (and {} more)", self.more)?;
        }
        Ok(())
    }
}

/// Warnings, one for each key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Warnings(pub Vec<Warning>);

impl Warnings {
    pub(crate) fn push(&mut self, place: &Place, key: &str, message: &'static str) {
        match self.0.iter_mut().find(|warning| warning.key == key) {
            Some(seen) if seen.place == *place => {}
            Some(seen) => seen.more += 1,
            None => self.0.push(Warning { place: place.clone(), key: key.to_owned(), message, more: 0 }),
        }
    }
}
