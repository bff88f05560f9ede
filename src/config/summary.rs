//! What `mqcontainer check` shows of a configuration that is right.

use std::fmt::Write;

use super::checked::{Broker, Config, FlushDiskType};

/// The processes' ports line by line and the brokers as a table.
#[must_use]
pub fn summary(config: &Config) -> String {
    let container = &config.container;
    let (main, fast) = (container.ports.main, container.ports.fast);
    let mut out = format!("container   {}:{main} and {fast}\n", container.bind);
    if let Some(namesrv) = &config.namesrv {
        line(&mut out, "namesrv", &format!("{}:{}", namesrv.bind, namesrv.port));
    }
    if let Some(http) = &config.http {
        line(&mut out, "http", &http.listen.to_string());
    }
    let registers = match container.namesrv_addrs.as_slice() {
        [] => "nowhere".to_owned(),
        addrs => format!("at {}", addrs.join(", ")),
    };
    line(&mut out, "registers", &registers);
    if config.brokers.is_empty() {
        return out;
    }
    out.push('\n');
    let head = ["BROKER", "CLUSTER", "ROLE", "ADDRESS", "FAST", "HA", "FLUSH", "STORE"].map(str::to_owned);
    let rows: Vec<[String; 8]> = std::iter::once(head).chain(config.brokers.iter().map(row)).collect();
    write_columns(&mut out, &rows);
    out
}

fn line(out: &mut String, name: &str, what: &str) {
    let wrote = writeln!(out, "{name:<11} {what}");
    debug_assert!(wrote.is_ok(), "writing into a String does not fail");
}

fn row(broker: &Broker) -> [String; 8] {
    let flush = match broker.store.flush.disk {
        FlushDiskType::Async => "async",
        FlushDiskType::Sync => "sync",
    };
    [
        format!("{}-{}", broker.identity.name, broker.identity.id),
        broker.identity.cluster.clone(),
        broker.role.as_str().to_owned(),
        std::net::SocketAddr::new(broker.addresses.client, broker.ports.main).to_string(),
        broker.ports.fast.to_string(),
        broker.ports.ha.to_string(),
        flush.to_owned(),
        broker.store.root.display().to_string(),
    ]
}

/// Columns as wide as their widest cell.
fn write_columns<const N: usize>(out: &mut String, rows: &[[String; N]]) {
    let widths: [usize; N] =
        std::array::from_fn(|column| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0));
    for row in rows {
        let mut text = String::new();
        for (cell, width) in row.iter().zip(widths) {
            let wrote = write!(text, "{cell:<width$}  ");
            debug_assert!(wrote.is_ok(), "writing into a String does not fail");
        }
        out.push_str(text.trim_end());
        out.push('\n');
    }
}
