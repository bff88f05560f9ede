//! The table on stdout when everything has started, or tried to.

use std::fmt::Write;
use std::net::SocketAddr;
use std::time::Duration;

use crate::config::Config;

use super::status::{BrokerStatus, State};

/// Who serves where, and who does not and why.
pub(super) fn text(
    config: &Config,
    brokers: &[BrokerStatus],
    http: Option<SocketAddr>,
    now: Duration,
    took: Duration,
) -> String {
    let mut out = String::new();
    let mut line = |text: String| {
        let wrote = writeln!(out, "{}", text.trim_end());
        debug_assert!(wrote.is_ok(), "writing into a String does not fail");
    };
    let rows: Vec<[String; 6]> = std::iter::once(HEAD.map(str::to_owned)).chain(brokers.iter().map(row)).collect();
    let widths: [usize; 6] =
        std::array::from_fn(|column| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0));
    for row in rows.iter().skip(usize::from(brokers.is_empty())) {
        line(row.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}  ")).collect());
    }
    for broker in brokers {
        let (word, detail) = (broker.state.word(), broker.state.detail(now));
        if !broker.state.is_ready() && !detail.is_empty() {
            line(format!("{} {word}: {detail}", broker.identity));
        }
    }
    let (bind, ports) = (config.container.bind, config.container.ports);
    line(String::new());
    line(format!("container   {}", SocketAddr::new(bind, ports.main)));
    if let Some(namesrv) = &config.namesrv {
        line(format!("NameServer  {}", SocketAddr::new(namesrv.bind, namesrv.port)));
    }
    if let Some(http) = http {
        line(format!("http        http://{http}/metrics /readyz /brokers"));
    }
    let serving = brokers.iter().filter(|broker| broker.state.is_ready()).count();
    line(format!("{serving} of {} brokers serve after {} ms", brokers.len(), took.as_millis()));
    out
}

/// A member of a DLedger group is what its group has made of it.
fn role(broker: &BrokerStatus) -> String {
    match &broker.standing {
        Some(standing) => format!("{} term {}", broker.role_now(), standing.term),
        None => broker.role.as_str().to_owned(),
    }
}

const HEAD: [&str; 6] = ["BROKER", "ROLE", "ADDRESS", "RECOVERED", "READY AFTER", "STORE"];

fn row(broker: &BrokerStatus) -> [String; 6] {
    let (recovered, took) = match &broker.state {
        State::Serving(serving) => {
            let took = format!("{} ms", serving.took.as_millis());
            (format!("{} messages", serving.recovered), serving.joining.as_ref().map_or(took, |_| "joining".to_owned()))
        }
        state => ("-".to_owned(), state.word().to_owned()),
    };
    [
        broker.identity.to_string(),
        role(broker),
        broker.address.to_string(),
        recovered,
        took,
        broker.store.display().to_string(),
    ]
}
