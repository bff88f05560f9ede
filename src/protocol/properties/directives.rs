//! What a message's properties tell the broker that stores it, found in one pass over them.

use super::{iter, key};

/// The properties of a send that a broker acts on; of equal names the last one counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Directives<'p> {
    /// TRAN_MSG: half of a transaction.
    pub prepares_transaction: bool,
    /// DELAY; 0 when there is none or it is no number.
    pub delay_level: i32,
    /// One of the TIMER_ properties is there: to be delivered at an exact time.
    pub timed: bool,
    /// `__SHARDINGKEY` is there: an ordered message.
    pub ordered: bool,
    /// WAIT: tell the producer only when the message is safe; yes when absent.
    pub waits_for_store: bool,
    /// UNIQ_KEY.
    pub unique_key: Option<&'p str>,
    /// One of the properties is there that only brokers set, see [`Directives::OF_BROKERS`].
    pub has_broker_properties: bool,
}

impl<'p> Directives<'p> {
    /// What a broker sets on every message, or takes away, whatever a client says.
    pub const OF_BROKERS: [&'static str; 4] = [key::POP_CK, key::MSG_REGION, key::TRACE_SWITCH, key::CLUSTER];

    /// Reads them.
    #[must_use]
    pub fn of(properties: &'p str) -> Directives<'p> {
        let mut found = Directives {
            prepares_transaction: false,
            delay_level: 0,
            timed: false,
            ordered: false,
            waits_for_store: true,
            unique_key: None,
            has_broker_properties: false,
        };
        for (name, value) in iter(properties) {
            match name {
                key::UNIQ_KEY => found.unique_key = Some(value),
                key::WAIT_STORE_MSG_OK => found.waits_for_store = is_true(value),
                key::TRANSACTION_PREPARED => found.prepares_transaction = is_true(value),
                key::DELAY_TIME_LEVEL => found.delay_level = value.parse().unwrap_or(0),
                key::TIMER_DELIVER_MS | key::TIMER_DELAY_SEC | key::TIMER_DELAY_MS => found.timed = true,
                key::SHARDING_KEY => found.ordered = true,
                name => found.has_broker_properties |= Directives::OF_BROKERS.contains(&name),
            }
        }
        found
    }
}

/// `Boolean.parseBoolean`.
fn is_true(value: &str) -> bool {
    value.eq_ignore_ascii_case("true")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(properties: &str, expected: &Directives<'_>) {
        assert_eq!(Directives::of(properties), *expected);
    }

    #[test]
    fn each_property_has_its_meaning() {
        let none = Directives::of("");
        check("KEYS\u{1}k\u{2}TAGS\u{1}t", &none);
        check("UNIQ_KEY\u{1}a\u{2}UNIQ_KEY\u{1}b\u{2}", &Directives { unique_key: Some("b"), ..none });
        check("WAIT\u{1}False\u{2}", &Directives { waits_for_store: false, ..none });
        check("WAIT\u{1}TRUE\u{2}", &none);
        check("TRAN_MSG\u{1}true\u{2}", &Directives { prepares_transaction: true, ..none });
        check("DELAY\u{1}3\u{2}", &Directives { delay_level: 3, ..none });
        check("DELAY\u{1}x\u{2}", &none);
        check("__SHARDINGKEY\u{1}s\u{2}", &Directives { ordered: true, ..none });
        for name in ["TIMER_DELIVER_MS", "TIMER_DELAY_SEC", "TIMER_DELAY_MS"] {
            check(&format!("{name}\u{1}1"), &Directives { timed: true, ..none });
        }
        for name in Directives::OF_BROKERS {
            check(&format!("{name}\u{1}1\u{2}"), &Directives { has_broker_properties: true, ..none });
            check(&format!("{name}\u{1}\u{2}"), &none);
        }
    }
}
