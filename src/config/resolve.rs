//! From the entries of several layers to the values of one table: later layers win, `${...}` is filled in, what is
//! given nowhere gets its default, and everything wrong is reported.

use std::collections::BTreeMap;

use super::checked::member;
use super::error::{Error, Errors, Place, Warnings};
use super::keys::{Default, Key, Section};
use super::outside::Outside;
use super::raw::{RawEntry, RawValue};
use super::values::{Entry, Value, Values};

/// Problems and remarks found while reading.
#[derive(Default)]
pub struct Findings {
    pub errors: Errors,
    pub warnings: Warnings,
}

/// The values of `section` from `layers`, weakest first. `computed` gives the value of a key whose default follows from
/// others; it sees the values of the keys before it. None when a value is missing or wrong; an unknown
/// key is reported, but does not hide what the known ones say.
pub fn resolve<'a>(
    section: Section,
    place: &Place,
    layers: impl IntoIterator<Item = &'a RawEntry>,
    computed: impl Fn(&str, &Values) -> Option<Value>,
    findings: &mut Findings,
) -> Option<Values> {
    let given = classify(section, layers, findings);
    let errors_before = findings.errors.0.len();
    let substitutions = Substitutions::of(section, &given);
    let mut values = Values { section, place: place.clone(), entries: BTreeMap::new() };
    let (follows, stands): (Vec<_>, Vec<_>) =
        section.keys().partition(|key| matches!(key.default, Default::Computed(_)) && !given.contains_key(key.name));
    for key in stands {
        match value_of(key, given.get(key.name).copied(), &substitutions, place, section) {
            Ok(entry) => drop(values.entries.insert(key.name, entry)),
            Err(error) => findings.errors.push(error),
        }
    }
    if findings.errors.0.len() > errors_before {
        return None;
    }
    for key in follows {
        if let Some(value) = computed(key.name, &values) {
            let place = None;
            values.entries.insert(key.name, Entry { value, place });
        }
    }
    Some(values)
}

/// The implemented keys among the entries; the others are reported.
fn classify<'a>(
    section: Section,
    layers: impl IntoIterator<Item = &'a RawEntry>,
    findings: &mut Findings,
) -> BTreeMap<&'static str, &'a RawEntry> {
    let mut given = BTreeMap::new();
    for entry in layers {
        let name = entry.key.as_str();
        if let Some(key) = section.key(name) {
            given.insert(key.name, entry);
        } else if let Some(refused) = section.refused().iter().find(|key| key.name == name) {
            if !is_word(&entry.value, refused.allowed) {
                findings.errors.push(Error::Unsupported {
                    place: entry.place.clone(),
                    key: refused.name,
                    value: entry.value.to_string(),
                    why: refused.why,
                });
            }
        } else if let Some((_, remark)) = section.folklore().iter().find(|(key, _)| *key == name) {
            findings.warnings.push(&entry.place, name, remark);
        } else if section.known_to_java().any(|known| known == name) {
            const REMARK: &str = "known to Java, not implemented here";
            findings.warnings.push(&entry.place, name, REMARK);
        } else {
            findings.errors.push(Error::UnknownKey {
                place: entry.place.clone(),
                key: name.to_owned(),
                section: section.title(),
                nearest: section.nearest(name),
                elsewhere: section.elsewhere(name),
            });
        }
    }
    given
}

fn is_word(value: &RawValue, word: &str) -> bool {
    match value {
        RawValue::Bool(value) => value.to_string() == word,
        RawValue::Text(text) => text.eq_ignore_ascii_case(word),
        _ => false,
    }
}

fn value_of(
    key: &'static Key,
    given: Option<&RawEntry>,
    substitutions: &Substitutions,
    table: &Place,
    section: Section,
) -> Result<Entry, Error> {
    let Some(entry) = given else {
        return match key.default {
            Default::Value(text) => Ok(Entry { value: default_value(key, text), place: None }),
            Default::Computed(_) | Default::Required => {
                Err(Error::Missing { place: table.clone(), key: key.name, section: section.title() })
            }
        };
    };
    let raw = match &entry.value {
        RawValue::Text(text) => {
            let filled = substitutions.fill(text).ok_or_else(|| Error::BadSubstitution {
                place: entry.place.clone(),
                key: entry.key.clone(),
                value: entry.value.to_string(),
            })?;
            &RawValue::Text(filled)
        }
        other => other,
    };
    let value = key.kind.read(raw).ok_or_else(|| Error::BadValue {
        place: Some(entry.place.clone()),
        key: entry.key.clone(),
        value: entry.value.to_string(),
        expected: key.kind.describe(),
    })?;
    Ok(Entry { value, place: Some(entry.place.clone()) })
}

/// The default of the table, read like any other text; a test reads them all.
pub fn default_value(key: &Key, text: &str) -> Value {
    let value = key.kind.read(&RawValue::Text(text.to_owned()));
    value.unwrap_or_else(|| panic!("the default of {} is not of its kind", key.name))
}

/// The names that are filled in for `${...}`.
struct Substitutions(Vec<(&'static str, String)>);

impl Substitutions {
    fn of(section: Section, given: &BTreeMap<&'static str, &RawEntry>) -> Substitutions {
        let names = match section {
            Section::Broker => ["brokerClusterName", "brokerName", "brokerId"].as_slice(),
            _ => &[],
        };
        // A member of a DLedger group is named by its number, so members of one process do not meet in a directory, and a master
        // that becomes n0 finds its own.
        let is_member = given.get("enableDLegerCommitLog").is_some_and(|entry| is_word(&entry.value, "true"));
        let number = match given.get("dLegerSelfId").map(|entry| &entry.value) {
            Some(RawValue::Text(id)) if is_member => member(id),
            _ => None,
        };
        let value = |name: &&'static str| {
            if let ("brokerId", Some(number)) = (*name, number) {
                return (*name, number.to_string());
            }
            let written = given.get(name).map(|entry| match &entry.value {
                RawValue::Text(text) => text.clone(),
                other => other.to_string(),
            });
            let default = section.key(name).map(|key| key.default);
            let value = match (written, default) {
                (Some(written), _) => written,
                (None, Some(Default::Value(text))) => text.to_owned(),
                _ => String::new(),
            };
            (*name, value)
        };
        Substitutions(names.iter().map(value).collect())
    }

    /// None when another name than the known ones stands in `${...}`.
    fn fill(&self, text: &str) -> Option<String> {
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(start) = rest.find("${") {
            let end = start + rest[start..].find('}')?;
            let name = &rest[start + 2..end];
            let (_, value) = self.0.iter().find(|(known, _)| *known == name)?;
            out.push_str(&rest[..start]);
            out.push_str(value);
            rest = &rest[end + 1..];
        }
        out.push_str(rest);
        Some(out)
    }
}

/// The computed default of a key of `[container]`. `namesrvAddr` without environment is left to the caller, who knows
/// whether there is a NameServer inside.
pub fn container_default(key: &str, outside: &Outside) -> Option<Value> {
    match key {
        "serverWorkerThreads" => {
            let threads = outside.cores.clamp(1, 8);
            Some(Value::Int(i64::try_from(threads).unwrap_or(1)))
        }
        "rocketmqHome" => (outside.var)("ROCKETMQ_HOME").map(|home| Value::Path(home.into())),
        _ => None,
    }
}

/// The computed default of a key of `[namesrv]`.
pub fn namesrv_default(key: &str, container: &Values, outside: &Outside) -> Option<Value> {
    match key {
        "bindAddress" => Some(Value::Ip(container.ip("bindAddress"))),
        "kvConfigPath" => Some(Value::Path(outside.home().join("namesrv/kvConfig.json"))),
        _ => None,
    }
}

/// The computed default of a key of a broker, from those before it in the table.
pub fn broker_default(key: &str, broker: &Values, outside: &Outside) -> Option<Value> {
    match key {
        "dLegerGroup" => Some(Value::Text(broker.text("brokerName").to_owned())),
        "haListenPort" => Some(Value::Int(broker.number::<i64>("listenPort") + 1)),
        "brokerIP1" => Some(Value::Ip(outside.local_address)),
        "brokerIP2" => Some(Value::Ip(broker.ip("brokerIP1"))),
        "storePathRootDir" => Some(Value::Path(outside.home().join("store"))),
        "storePathCommitLog" => Some(Value::Path(broker.path("storePathRootDir").join("commitlog"))),
        _ => None,
    }
}
