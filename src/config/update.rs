//! Changes at run time: UPDATE_BROKER_CONFIG (25) and UPDATE_NAMESRV_CONFIG (318).
//!
//! Java takes any key it has a setter for, although most are read only at start, and rewrites the whole file. Here a
//! request is refused as a whole unless every key in it takes effect at once. A key that a broker has from its `.conf`, or from
//! no file, is written back there, line by line. A key given in `container.toml` holds until the process ends: that file is the
//! operator's, and a second, hidden one beside it would overrule what stands in it.

use std::path::{Path, PathBuf};

use super::checked::{Broker, Container, Namesrv};
use super::error::{Error, Errors};
use super::properties::{read_properties, with_value};
use super::raw::RawEntry;
use super::rules::check_broker;
use super::values::{Entry, Values};

/// Keys that no table lets be changed (Java: `AdminBrokerProcessor.initConfigBlackList` and its like).
const ALWAYS_BLACK: [&str; 6] =
    ["configBlackList", "brokerConfigPath", "brokerConfigPaths", "rocketmqHome", "configStorePath", "kvConfigPath"];

/// One key that changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The key.
    pub key: &'static str,
    /// Its value before.
    pub from: String,
    /// Its value now.
    pub to: String,
    /// The `.conf` it belongs into; none when the change holds only until the process ends.
    pub file: Option<PathBuf>,
}

impl Broker {
    /// This broker with the properties of `text` changed, and what really changed.
    ///
    /// # Errors
    /// Everything wrong with the request; then nothing changes.
    pub fn update(&self, text: &str) -> Result<(Broker, Vec<Change>), Errors> {
        let (values, changes) = update(&self.values, text, self.origin.as_deref())?;
        let mut errors = Errors::default();
        check_broker(&values, &mut errors);
        let new = Broker::from_values(values, self.origin.clone());
        let own = |broker: &Broker| broker.dledger.as_ref().and_then(|member| member.own().cloned());
        if own(&new) != own(self) {
            let what = "the address of this broker in dLegerPeers cannot be changed while it runs".to_owned();
            errors.push(Error::Contradiction { place: self.values.place("dLegerPeers"), what });
        }
        errors.or(Some((new, changes)))
    }
}

impl Container {
    /// The container with the properties of `text` changed, and what really changed.
    ///
    /// # Errors
    /// Everything wrong with the request; then nothing changes.
    pub fn update(&self, text: &str) -> Result<(Container, Vec<Change>), Errors> {
        let (values, changes) = update(&self.values, text, None)?;
        Ok((Container::from_values(values), changes))
    }
}

impl Namesrv {
    /// The NameServer with the properties of `text` changed, and what really changed.
    ///
    /// # Errors
    /// Everything wrong with the request; then nothing changes.
    pub fn update(&self, text: &str) -> Result<(Namesrv, Vec<Change>), Errors> {
        let (values, changes) = update(&self.values, text, None)?;
        Ok((Namesrv::from_values(values), changes))
    }
}

/// The text of the `.conf` at `file` with those of `changes` that belong into it.
#[must_use]
pub fn rewrite(text: &str, file: &Path, changes: &[Change]) -> String {
    changes
        .iter()
        .filter(|change| change.file.as_deref() == Some(file))
        .fold(text.to_owned(), |text, change| with_value(&text, change.key, &change.to))
}

fn update(values: &Values, text: &str, origin: Option<&Path>) -> Result<(Values, Vec<Change>), Errors> {
    let request = read_properties(&Path::new("request").into(), text).entries;
    let black = values.list("configBlackList");
    let is_black = |key: &str| ALWAYS_BLACK.contains(&key) || black.iter().any(|name| name == key);
    if let Some(entry) = request.iter().find(|entry| is_black(&entry.key)) {
        let key = entry.key.clone();
        return Err(Errors(vec![Error::BlackListed { key }]));
    }
    let mut new = values.clone();
    let mut changes = Vec::new();
    let mut errors = Errors::default();
    for entry in &request {
        match change(values, entry, origin) {
            Ok(None) => {}
            Ok(Some((change, entry))) => {
                new.entries.insert(change.key, entry);
                changes.push(change);
            }
            Err(error) => errors.push(error),
        }
    }
    errors.or(Some((new, changes)))
}

/// None when the key has that value already.
fn change(values: &Values, request: &RawEntry, origin: Option<&Path>) -> Result<Option<(Change, Entry)>, Error> {
    let section = values.section;
    let name = request.key.as_str();
    let Some(key) = section.key(name) else {
        let known = section.known_to_java().any(|known| known == name)
            || section.refused().iter().any(|refused| refused.name == name);
        return Err(if known {
            Error::NotImplemented { key: name.to_owned() }
        } else {
            Error::UnknownKey {
                place: request.place.clone(),
                key: name.to_owned(),
                section: section.title(),
                nearest: section.nearest(name),
                elsewhere: section.elsewhere(name),
            }
        });
    };
    let value = key.kind.read(&request.value).ok_or_else(|| Error::BadValue {
        place: None,
        key: name.to_owned(),
        value: request.value.to_string(),
        expected: key.kind.describe(),
    })?;
    let old = values.entries.get(key.name);
    if old.is_some_and(|old| old.value == value) {
        return Ok(None);
    }
    let place = values.place(name);
    if !key.reloadable {
        return Err(Error::NotReloadable {
            key: name.to_owned(),
            file: origin.unwrap_or(&place.file).display().to_string(),
        });
    }
    let standing = old.and_then(|old| old.place.clone());
    // What container.toml says stays container.toml's; a line in the .conf would be overruled by it or surprise it.
    let belongs = |origin: &&Path| standing.as_ref().is_none_or(|place| *place.file == **origin);
    let change = Change {
        key: key.name,
        from: old.map_or_else(String::new, |old| old.value.to_string()),
        to: value.to_string(),
        file: origin.filter(belongs).map(Path::to_owned),
    };
    Ok(Some((change, Entry { value, place: standing })))
}
