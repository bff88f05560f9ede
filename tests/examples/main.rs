//! Every example runs, says something and exits 0.
#![allow(clippy::disallowed_methods, reason = "a test starts processes")]

use std::process::Command;

fn check(name: &str, says: &[&str]) {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["run", "--quiet", "--locked", "--example", name]).current_dir(env!("CARGO_MANIFEST_DIR"));
    if !cfg!(debug_assertions) {
        cargo.arg("--release");
    }
    let output = cargo.output().unwrap_or_else(|error| panic!("cargo does not run: {error}"));
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{name}: {}\n{text}\n{}", output.status, String::from_utf8_lossy(&output.stderr));
    for words in says {
        assert!(text.contains(words), "{name} does not say {words:?}:\n{text}");
    }
}

#[test]
fn two_masters() {
    check("two_masters", &["knows 2 masters", "hello 2 from broker-a", "hello 2 from broker-b", "both stopped"]);
}

#[test]
fn java_conf() {
    check("java_conf", &["the broker says brokerRole=ASYNC_MASTER", "read back [\"a message\"]"]);
}

#[test]
fn add_remove() {
    check("add_remove", &["has already been added", "it still has [\"to a broker that came later\"]"]);
}

#[test]
fn scrape() {
    check("scrape", &["/readyz 200", "\"state\": \"serving\"", "rocketmq_messages_in_total{"]);
}

#[test]
fn crossed() {
    let says = [
        "SEND_OK: broker-a and its slave have it",
        "consumers of broker-b go on at its slave: [\"1 to broker-b\", \"2 to broker-b\"]",
        "producers of broker-a go on, SEND_OK: [\"1 to broker-a\", \"2 to broker-a\", \"3 to broker-a\"]",
        "is back: broker-a's slave is 0 bytes behind, broker-b's slave is 0 bytes behind",
        "broker-a and broker-b after its return: code 0",
    ];
    check("crossed", &says);
}

#[test]
fn dledger() {
    let says = [
        "SEND_OK: two of three members have it",
        ": code 0\nproducers go on at 127.0.0.1:",
        "it has [\"1\", \"2\", \"3\", \"4\"]",
        "DefaultCluster_broker-d_",
    ];
    check("dledger", &says);
}
