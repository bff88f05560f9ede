use std::collections::BTreeMap;

use proptest::prelude::*;
use serde::Deserialize;
use serde_json::Value;

use super::*;

fn check(java: &str, standard: &str) {
    let rewritten = Rewriter::rewrite(java.as_bytes()).unwrap();
    assert_eq!(String::from_utf8(rewritten).unwrap(), standard);
    let value: Value = from_java(java.as_bytes()).unwrap();
    assert!(!value.is_null());
}

#[test]
fn liberties_become_standard_json() {
    check(r#"{0:"x",-1:[1, 2 ,{a:true}]}"#, r#"{"0":"x","-1":[1,2,{"a":true}]}"#);
    check(
        r#"{{"brokerName":"}","queueId":0}:{"a":1},{}:2}"#,
        r#"{"{\"brokerName\":\"}\",\"queueId\":0}":{"a":1},"{}":2}"#,
    );
    check(r#"{"a":null,"b":1,"c":null,"d":[null],"e": null }"#, r#"{"b":1,"d":[null]}"#);
    check(
        r#" { "a\"" : "\\" , "nullable" : nullx } "#.replace("nullx", "1.5e3").as_str(),
        r#"{"a\"":"\\","nullable":1.5e3}"#,
    );
    check("[]", "[]");
}

#[test]
fn garbage_is_an_error_with_its_place() {
    let place = |text: &str| match Rewriter::rewrite(text.as_bytes()) {
        Err(JsonError::Syntax { position, .. }) => Some(position),
        _ => None,
    };
    assert_eq!(place(""), Some(0));
    assert_eq!(place("{"), Some(1));
    assert_eq!(place(r#"{"a"}"#), Some(4));
    assert_eq!(place(r#"{"a":"#), Some(5));
    assert_eq!(place(r#"{"a\"#), Some(4));
    assert_eq!(place("{{{"), Some(2));
    assert_eq!(place("1 2"), Some(2));
    assert_eq!(place(&"[".repeat(100_000)), Some(DEPTH_MAX));
    assert!(from_java::<Value>(b"{\"a\":tru}").is_err());
    assert!(from_java::<Value>("[".repeat(100_000).as_bytes()).is_err());
}

#[derive(Serialize, Deserialize, PartialEq, Eq, PartialOrd, Ord, Debug, Clone)]
struct Name {
    name: String,
}

#[derive(Serialize, Deserialize, PartialEq, Debug)]
struct Table {
    #[serde(with = "object_keys")]
    by_name: BTreeMap<Name, i64>,
    by_number: BTreeMap<i64, String>,
    by_text: BTreeMap<String, i32>,
}

#[test]
fn keys_are_written_as_java_reads_them() {
    let table = Table {
        by_name: BTreeMap::from([(Name { name: "a\"\\\u{1}ä".into() }, 1), (Name { name: "b".into() }, 2)]),
        by_number: BTreeMap::from([(0, "x".into()), (i64::MIN, "y".into())]),
        by_text: BTreeMap::from([(String::new(), 1), ("a\n".into(), 2), ("\"".into(), 3)]),
    };
    let java = to_java(&table);
    let expected = r#"{"by_name":{{"name":"a\"\\\u0001ä"}:1,{"name":"b"}:2},"by_number":{"-9223372036854775808":"y","0":"x"},"by_text":{"":1,"\"":3,"a\n":2}}"#;
    assert_eq!(String::from_utf8(java.clone()).unwrap(), expected);
    assert_eq!(from_java::<Table>(&java).unwrap(), table);
}

proptest! {
    #[test]
    fn standard_json_stays_what_it_is(text in "[\\[\\]{}:,\"\\\\a0 n]{0,40}") {
        if let Ok(value) = serde_json::from_str::<Value>(&text) {
            let rewritten = Rewriter::rewrite(text.as_bytes()).unwrap();
            prop_assert_eq!(serde_json::from_slice::<Value>(&rewritten).unwrap(), value);
        } else {
            let _never_panics = Rewriter::rewrite(text.as_bytes()).is_ok();
        }
    }
}
