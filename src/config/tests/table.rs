//! The table of keys, `container.toml` and docs/configuration.md say the same.

use std::collections::BTreeSet;

use super::{load, machine};
use crate::config::keys::{Default, Key, Kind, Section};
use crate::config::raw::{RawValue, read_toml};
use crate::config::resolve::default_value;
use crate::config::{BUILT_IN, Errors, document};

#[test]
fn the_page_is_written_from_the_table() {
    let page = include_str!("../../../docs/configuration.md");
    let fresh = document();
    let differs = page.lines().zip(fresh.lines()).find(|(page, fresh)| page != fresh);
    assert_eq!(differs, None, "run: cargo run -- check --keys > docs/configuration.md");
    assert_eq!(page.len(), fresh.len());
}

#[test]
fn every_key_stands_once_with_a_default_of_its_kind() {
    for section in Section::ALL {
        let mut names = BTreeSet::new();
        for key in section.keys() {
            assert!(names.insert(key.name), "{} twice in {}", key.name, section.title());
            assert!(key.doc.ends_with('.'), "{}", key.name);
            if let Default::Value(text) = key.default {
                default_value(key, text);
            }
        }
        let refused = section.refused().iter().map(|refused| refused.name);
        for name in refused {
            assert!(!names.contains(name), "{name} is implemented in {}", section.title());
        }
        for name in section.known_to_java() {
            assert!(section.folklore().iter().all(|(key, _)| *key != name), "Java does read {name}");
        }
    }
}

/// Every bound of every key fits the type it is read into, every value of every key is accepted by whoever reads it.
#[test]
fn every_key_is_readable_at_its_bounds() {
    for section in Section::ALL {
        for key in section.keys().filter(|key| key.name != "include") {
            for value in samples(key) {
                let head = match section {
                    Section::Broker => "[[broker]]\nbrokerName = \"sample\"".to_owned(),
                    other => format!("[namesrv]\n{}", if other == Section::Namesrv { "" } else { other.title() }),
                };
                let head = if key.name == "brokerName" { "[[broker]]".to_owned() } else { head };
                let text = format!("{head}\n{} = {value}\n", key.name);
                if let Err(errors) = load(&text, &machine(&[("x.conf", "brokerName=x")], &[])) {
                    assert_only_rules(&errors, key);
                }
            }
        }
    }
}

/// The value itself is taken; rules between keys may still object to it.
fn assert_only_rules(errors: &Errors, key: &Key) {
    let text = errors.to_string();
    assert!(!text.contains("expected") && !text.contains("unknown"), "{}: {text}", key.name);
}

fn samples(key: &Key) -> Vec<String> {
    match key.kind {
        Kind::Bool => vec!["true".into(), "false".into()],
        Kind::Int { min, max } | Kind::Bytes { min, max } | Kind::Time { min, max, .. } => {
            vec![min.to_string(), max.to_string()]
        }
        Kind::Words(words) => words.iter().map(|word| format!("{word:?}")).collect(),
        Kind::Name | Kind::Text => vec!["\"x\"".into()],
        Kind::Path => vec!["\"/x\"".into()],
        Kind::Ip => vec!["\"::1\"".into()],
        Kind::Endpoint => vec!["\"[::1]:1\"".into()],
        Kind::Address => vec!["\"\"".into(), "\"x:1\"".into()],
        Kind::Addresses => vec!["[]".into(), "\"x:1\"".into()],
        Kind::List(_) => vec!["[]".into(), "\"x.conf\"".into()],
        Kind::Peers => vec!["[]".into(), "\"n0-x:1;n1-x-y:2\"".into()],
        Kind::Member => vec!["\"\"".into(), "\"n7\"".into()],
        Kind::Members => vec!["[]".into(), "\"n0;n1\"".into()],
        Kind::Span { min, max } => vec![format!("[{min}, {max}]"), format!("\"{max};{max}ms\"")],
        Kind::HoursOfDay => vec!["4".into(), "\"04;23\"".into()],
        Kind::Delays => vec!["\"1s\"".into()],
    }
}

#[test]
fn commented_lines_of_container_toml_show_defaults() {
    let mut shown = 0;
    let mut section = None;
    let mut prefix = "";
    for line in BUILT_IN.lines() {
        let line = line.split("  #").next().unwrap_or(line).trim_end();
        if let Some(table) = line.strip_prefix('[') {
            (section, prefix) = match table.trim_matches(['[', ']']) {
                "container" => (Some(Section::Container), ""),
                "container.limits" => (Some(Section::Container), "limits."),
                "http" => (Some(Section::Http), ""),
                "namesrv" => (Some(Section::Namesrv), ""),
                "defaults" | "broker" => (Some(Section::Broker), ""),
                "broker.limits" => (Some(Section::Broker), "limits."),
                other => panic!("unknown table {other}"),
            };
        }
        let Some((name, value)) = line.strip_prefix("# ").and_then(|line| line.split_once(" = ")) else {
            continue;
        };
        if name == "include" || name.contains([' ', '`']) {
            continue;
        }
        let section = section.expect("keys stand in tables");
        let key = section.key(&format!("{prefix}{name}")).unwrap_or_else(|| panic!("{name} is no key"));
        let Default::Value(default) = key.default else {
            panic!("{name} has no fixed default");
        };
        let value = key.kind.read(&toml_value(value));
        assert_eq!(value, Some(default_value(key, default)), "{name}");
        shown += 1;
    }
    assert!(shown > 10, "the lines were not recognized");
}

fn toml_value(value: &str) -> RawValue {
    let mut errors = Errors::default();
    let text = format!("[defaults]\nkey = {value}");
    let document = read_toml(&std::path::Path::new("x").into(), text.as_bytes(), &mut errors);
    assert_eq!(errors, Errors::default(), "{value}");
    document.and_then(|document| document.defaults).expect("a table").entries.remove(0).value
}
