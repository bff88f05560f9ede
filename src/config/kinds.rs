//! From a value as written to a value of its kind and within its bounds.

use std::path::PathBuf;

use super::checked::{DelayLevels, Peer, member};
use super::keys::Kind;
use super::raw::RawValue;
use super::units::{TimeUnit, parse_bytes, parse_delay, parse_time};
use super::values::Value;
use std::time::Duration;

/// Longest name of a cluster or broker, Java's limit for topic names, which they become.
const NAME_MAX: usize = 127;

impl Kind {
    /// The value of this kind, or none when it is another or out of bounds.
    #[must_use]
    pub fn read(&self, raw: &RawValue) -> Option<Value> {
        match *self {
            Kind::Bool => match raw {
                RawValue::Bool(value) => Some(Value::Bool(*value)),
                RawValue::Text(text) if text.eq_ignore_ascii_case("true") => Some(Value::Bool(true)),
                RawValue::Text(text) if text.eq_ignore_ascii_case("false") => Some(Value::Bool(false)),
                _ => None,
            },
            Kind::Int { min, max } => within(min, max, number(raw, |text| text.parse().ok())),
            Kind::Bytes { min, max } => within(min, max, number(raw, parse_bytes)),
            Kind::Time { unit, min, max } => within(min, max, number(raw, |text| parse_time(text, unit))),
            Kind::List(separator) => list(raw, separator),
            Kind::Addresses => list_of(raw, is_host_and_port),
            Kind::Peers => list_of(raw, |text| Peer::parse(text).is_some()),
            Kind::Members => list_of(raw, |text| member(text).is_some()),
            Kind::Span { min, max } => span(min, max, raw),
            Kind::HoursOfDay => match raw {
                RawValue::Int(hour) => hours(&hour.to_string()),
                other => hours(text(other)?),
            },
            _ => self.read_text(text(raw)?),
        }
    }

    fn read_text(&self, text: &str) -> Option<Value> {
        match *self {
            Kind::Words(words) => words.contains(&text).then(|| Value::Text(text.to_owned())),
            Kind::Name => is_name(text).then(|| Value::Text(text.to_owned())),
            Kind::Text => Some(Value::Text(text.to_owned())),
            Kind::Path => (!text.is_empty()).then(|| Value::Path(PathBuf::from(text))),
            Kind::Ip => text.parse().ok().map(Value::Ip),
            Kind::Address => (text.is_empty() || is_host_and_port(text)).then(|| Value::Text(text.to_owned())),
            Kind::Member => (text.is_empty() || member(text).is_some()).then(|| Value::Text(text.to_owned())),
            Kind::Endpoint => text.parse().ok().map(Value::Endpoint),
            Kind::Delays => delays(text),
            _ => None,
        }
    }
}

fn text(raw: &RawValue) -> Option<&str> {
    match raw {
        RawValue::Text(text) => Some(text),
        _ => None,
    }
}

fn number(raw: &RawValue, parse: impl Fn(&str) -> Option<i64>) -> Option<i64> {
    match raw {
        RawValue::Int(number) => Some(*number),
        RawValue::Text(text) => parse(text),
        _ => None,
    }
}

fn within(min: i64, max: i64, number: Option<i64>) -> Option<Value> {
    number.filter(|number| (min..=max).contains(number)).map(Value::Int)
}

fn list(raw: &RawValue, separator: char) -> Option<Value> {
    let texts: Vec<&str> = match raw {
        RawValue::Text(text) => text.split(separator).collect(),
        RawValue::List(texts) => texts.iter().map(String::as_str).collect(),
        _ => return None,
    };
    let texts = texts.into_iter().map(str::trim);
    let texts = texts.filter(|text| !text.is_empty()).map(str::to_owned);
    Some(Value::List(texts.collect(), separator))
}

/// A list separated by `;` whose elements are all such.
fn list_of(raw: &RawValue, is_such: impl Fn(&str) -> bool) -> Option<Value> {
    list(raw, ';').filter(|value| match value {
        Value::List(texts, _) => texts.iter().all(|text| is_such(text)),
        _ => false,
    })
}

fn span(min: i64, max: i64, raw: &RawValue) -> Option<Value> {
    let Value::List(texts, separator) = list(raw, ';')? else { return None };
    let times: Option<Vec<i64>> = texts.iter().map(|text| parse_time(text, TimeUnit::Millis)).collect();
    match *times? {
        [shorter, longer] if min <= shorter && shorter <= longer && longer <= max => {
            Some(Value::List(vec![shorter.to_string(), longer.to_string()], separator))
        }
        _ => None,
    }
}

fn is_host_and_port(text: &str) -> bool {
    text.rsplit_once(':').is_some_and(|(host, port)| {
        let host_is_plausible = !host.is_empty() && !host.contains(char::is_whitespace);
        host_is_plausible && port.parse::<u16>().is_ok_and(|port| port > 0)
    })
}

fn is_name(text: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "_-.|%".contains(c);
    !text.is_empty() && text.len() <= NAME_MAX && text.chars().all(allowed)
}

fn hours(text: &str) -> Option<Value> {
    let hours = text
        .split(';')
        .map(str::trim)
        .filter(|hour| !hour.is_empty())
        .map(|hour| hour.parse().ok().filter(|hour: &u8| *hour < 24))
        .collect::<Option<Vec<u8>>>()?;
    (!hours.is_empty()).then_some(Value::Hours(hours))
}

fn delays(text: &str) -> Option<Value> {
    let delays = text
        .split_ascii_whitespace()
        .map(|word| parse_delay(word).map(|millis| Duration::from_millis(millis.unsigned_abs())))
        .collect::<Option<Vec<_>>>()?;
    (!delays.is_empty()).then(|| Value::Delays(DelayLevels(delays), text.to_owned()))
}
