//! The settings of a NameServer that tools may read and change (318, 319).

use std::collections::BTreeMap;
use std::time::Duration;

use super::Error;
use super::table::Rules;

/// Bounds of `scanNotActiveBrokerInterval`, in milliseconds.
const SCAN_INTERVAL: std::ops::RangeInclusive<u64> = 10..=3_600_000;
/// Keys that Java's `DefaultRequestProcessor` never lets anybody change from outside.
const BLACK_LIST: [&str; 4] = ["configBlackList", "configStorePath", "kvConfigPath", "rocketmqHome"];

/// What is in force now. A change lasts until the next start: the configuration file is the operator's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// What answers depend on.
    pub rules: Rules,
    /// `scanNotActiveBrokerInterval`: how often silent brokers are looked for. Default 5 s.
    pub scan_interval: Duration,
    /// `configBlackList`: keys that may not be changed, besides Java's four.
    pub black_list: Vec<String>,
    /// Every key with its value, those that can change and those that cannot.
    pub shown: BTreeMap<String, String>,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            rules: Rules::default(),
            scan_interval: Duration::from_secs(5),
            black_list: Vec::new(),
            shown: BTreeMap::new(),
        }
    }
}

impl Settings {
    /// Changes some of them, all or none.
    ///
    /// # Errors
    /// A key of the black list, an unknown or fixed key, a value that is none.
    pub fn update(&mut self, changes: &BTreeMap<String, String>) -> Result<(), Error> {
        let mut next = self.clone();
        for key in changes.keys() {
            if BLACK_LIST.contains(&key.as_str()) || self.black_list.contains(key) {
                return Err(Error::BlackListed { key: key.clone() });
            }
        }
        for (key, value) in changes {
            next.set(key, value)?;
            next.shown.insert(key.clone(), value.clone());
        }
        *self = next;
        Ok(())
    }

    fn set(&mut self, key: &str, value: &str) -> Result<(), Error> {
        let wrong = |expected: &'static str| Error::WrongValue {
            key: key.to_owned(),
            value: value.chars().take(64).collect(),
            expected,
        };
        if key == "scanNotActiveBrokerInterval" {
            let millis = value.parse().ok().filter(|millis| SCAN_INTERVAL.contains(millis));
            let millis = millis.ok_or_else(|| wrong("milliseconds from 10 to 3600000"))?;
            self.scan_interval = Duration::from_millis(millis);
            return Ok(());
        }
        let rule = match key {
            "supportActingMaster" => &mut self.rules.support_acting_master,
            "notifyMinBrokerIdChanged" => &mut self.rules.notify_min_broker_id_changed,
            "deleteTopicWithBrokerRegistration" => &mut self.rules.delete_topic_with_registration,
            "orderMessageEnable" => &mut self.rules.order_message,
            "returnOrderTopicConfigToBroker" => &mut self.rules.return_order_topics,
            _ => {
                return Err(Error::FixedKey { key: key.to_owned(), known: self.shown.contains_key(key) });
            }
        };
        *rule = match value {
            "true" => true,
            "false" => false,
            _ => return Err(wrong("true or false")),
        };
        Ok(())
    }

    /// Java's properties text, `key=value` by line (319).
    #[must_use]
    pub fn to_properties(&self) -> String {
        self.shown.iter().map(|(key, value)| format!("{key}={value}\n")).collect()
    }
}

/// Reads Java's properties text as tools send it: `key=value` by line.
///
/// # Errors
/// Not UTF-8, or a line without `=`.
pub fn parse_properties(body: &[u8]) -> Result<BTreeMap<String, String>, Error> {
    let text = std::str::from_utf8(body).map_err(|_| Error::NotProperties { line: 0 })?;
    let mut properties = BTreeMap::new();
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with(['#', '!']) {
            continue;
        }
        let (key, value) = line.split_once('=').ok_or(Error::NotProperties { line: number + 1 })?;
        properties.insert(key.trim().to_owned(), value.trim().to_owned());
    }
    Ok(properties)
}
