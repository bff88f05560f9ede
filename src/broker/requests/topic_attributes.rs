//! Attributes of a topic and how an administrator changes them (Java: `AttributeParser`, `AttributeUtil`, `TopicAttributes`).

use std::collections::BTreeMap;

use crate::broker::error::Error;

/// Attributes by name.
pub type Attributes = BTreeMap<String, String>;

/// What an attribute may be.
struct Known {
    name: &'static str,
    /// Whether it may change after the topic was created.
    changeable: bool,
    values: Values,
}

enum Values {
    /// One of these; values that Java knows and this broker does not serve are refused as well, with the second list.
    OneOf(&'static [&'static str], &'static [&'static str]),
    /// A number of at least -1.
    Number,
}

/// `TopicAttributes.ALL`. BatchCQ and COMPACTION decide how a queue is stored, MIXED is off in Java by default
/// (`enableMixedMessageType`).
const KNOWN: [Known; 4] = [
    Known { name: "queue.type", changeable: false, values: Values::OneOf(&["SimpleCQ"], &["BatchCQ"]) },
    Known { name: "cleanup.policy", changeable: false, values: Values::OneOf(&["DELETE"], &["COMPACTION"]) },
    Known {
        name: "message.type",
        changeable: true,
        values: Values::OneOf(&["UNSPECIFIED", "NORMAL", "FIFO", "DELAY", "TRANSACTION"], &["MIXED"]),
    },
    Known { name: "reserve.time", changeable: true, values: Values::Number },
];

/// Reads `+name=value,-name` into changes, each name with its sign.
///
/// # Errors
/// A part has no sign or value, or a name comes twice.
pub fn parse(text: &str) -> Result<Attributes, Error> {
    let mut changes = Attributes::new();
    for part in text.split(',').filter(|_| !text.is_empty()) {
        let (name, value) = match part.split_once('=') {
            Some((name, value)) if name.starts_with('+') => (name, value),
            None if part.starts_with('-') => (part, ""),
            _ => return Err(failed(format!("attribute format is wrong: {part:?}, expected +name=value or -name"))),
        };
        if changes.insert(name.to_owned(), value.to_owned()).is_some() {
            return Err(failed(format!("key duplication: {name}")));
        }
    }
    Ok(changes)
}

/// The attributes after `changes`; `current` is none for a topic that is being created.
///
/// # Errors
/// An unknown attribute, a value it cannot have, or a change it does not allow.
pub fn alter(current: Option<&Attributes>, changes: &Attributes) -> Result<Attributes, Error> {
    let mut altered = current.cloned().unwrap_or_default();
    for (signed, value) in changes {
        let (add, name) = match (signed.strip_prefix('+'), signed.strip_prefix('-')) {
            (Some(name), _) => (true, name),
            (None, Some(name)) => (false, name),
            // A configuration copied from a broker comes as it stands there, without signs.
            (None, None) if altered.get(signed) == Some(value) => continue,
            (None, None) => return Err(failed(format!("wrong format key: {signed}, expected a sign before it"))),
        };
        if changes.contains_key(&format!("{}{name}", if add { '-' } else { '+' })) {
            return Err(failed(format!("alter duplication key. key: {name}")));
        }
        let known = KNOWN.iter().find(|known| known.name == name);
        let known = known.ok_or_else(|| failed(format!("unsupported key: {name}")))?;
        if !add && current.is_none() {
            return Err(failed(format!("only add attribute is supported while creating topic. key: {name}")));
        }
        if !add && !altered.contains_key(name) {
            return Err(failed(format!("attempt to delete a nonexistent key: {name}")));
        }
        if current.is_some() && !known.changeable {
            return Err(failed(format!("attempt to update an unchangeable attribute. key: {name}")));
        }
        if add {
            check(known, value)?;
            altered.insert(name.to_owned(), value.clone());
        } else {
            altered.remove(name);
        }
    }
    Ok(altered)
}

fn check(known: &Known, value: &str) -> Result<(), Error> {
    let name = known.name;
    match known.values {
        Values::OneOf(served, _) if served.contains(&value) => Ok(()),
        Values::OneOf(_, refused) if refused.contains(&value) => {
            Err(Error::InvalidParameter { reason: format!("{name}={value} is not supported by this broker") })
        }
        Values::OneOf(served, _) => Err(failed(format!("value {value:?} of {name} is not in set: {served:?}"))),
        Values::Number if value.parse().is_ok_and(|number: i64| number >= -1) => Ok(()),
        Values::Number => Err(failed(format!("value {value:?} of {name} is not in range(-1, {})", i64::MAX))),
    }
}

fn failed(reason: String) -> Error {
    Error::Failed { reason }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Applies changes to attributes written as `name=value,...`, or to a topic that is not there yet.
    fn check(current: Option<&str>, changes: &str, expected: Result<&str, &str>) {
        let plain = |text: &str| -> Attributes {
            let pairs = text.split(',').filter_map(|part| part.split_once('='));
            pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
        };
        let current = current.map(plain);
        let got = parse(changes).and_then(|changes| alter(current.as_ref(), &changes));
        let got = got.map_err(|error| format!("{} {error}", error.code()));
        assert_eq!(got, expected.map(plain).map_err(str::to_owned), "{changes}");
    }

    #[test]
    fn a_new_topic_takes_what_is_known() {
        check(None, "", Ok(""));
        check(None, "+message.type=FIFO,+queue.type=SimpleCQ", Ok("message.type=FIFO,queue.type=SimpleCQ"));
        check(None, "-message.type", Err("1 only add attribute is supported while creating topic. key: message.type"));
        check(None, "+colour=red", Err("1 unsupported key: colour"));
        check(
            None,
            "message.type=FIFO",
            Err(r#"1 attribute format is wrong: "message.type=FIFO", expected +name=value or -name"#),
        );
        check(
            None,
            "+message.type",
            Err(r#"1 attribute format is wrong: "+message.type", expected +name=value or -name"#),
        );
        check(None, "+reserve.time=1,+reserve.time=2", Err("1 key duplication: +reserve.time"));
    }

    #[test]
    fn values_are_checked() {
        check(None, "+reserve.time=-1", Ok("reserve.time=-1"));
        check(None, "+reserve.time=x", Err(r#"1 value "x" of reserve.time is not in range(-1, 9223372036854775807)"#));
        check(None, "+queue.type=BatchCQ", Err("29 queue.type=BatchCQ is not supported by this broker"));
        check(None, "+message.type=MIXED", Err("29 message.type=MIXED is not supported by this broker"));
        check(None, "+cleanup.policy=KEEP", Err(r#"1 value "KEEP" of cleanup.policy is not in set: ["DELETE"]"#));
    }

    #[test]
    fn a_topic_changes_what_is_changeable() {
        let now = Some("message.type=FIFO,queue.type=SimpleCQ");
        check(now, "+message.type=DELAY", Ok("message.type=DELAY,queue.type=SimpleCQ"));
        check(now, "-message.type", Ok("queue.type=SimpleCQ"));
        check(now, "-reserve.time", Err("1 attempt to delete a nonexistent key: reserve.time"));
        check(now, "+queue.type=SimpleCQ", Err("1 attempt to update an unchangeable attribute. key: queue.type"));
        check(now, "+message.type=DELAY,-message.type", Err("1 alter duplication key. key: message.type"));
    }
}
