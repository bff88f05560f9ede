//! Ports that nobody else takes: examples, tests and benches of this package run side by side, in many processes.

use std::fs::File;
use std::net::{Ipv4Addr, TcpListener};
use std::sync::{Mutex, PoisonError};

/// Below the ephemeral range, where any outgoing connection may take a port.
const FIRST: u16 = 12_000;
const COUNT: u16 = 16_000;

/// The claims of this process; its end gives them back.
static CLAIMED: Mutex<Vec<File>> = Mutex::new(Vec::new());

/// A port that is free together with those at these distances, for as long as this process runs: a server on it may stop and come
/// back. That it can be bound now is not enough, another process could find it free between a stop and a start; so each port
/// has a file that its owner keeps locked.
pub fn claim(distances: &[i32]) -> u16 {
    let folder = std::env::temp_dir().join("mqcontainer-ports");
    let made = std::fs::create_dir_all(&folder);
    assert!(made.is_ok(), "{}: {made:?}", folder.display());
    let mut claimed = CLAIMED.lock().unwrap_or_else(PoisonError::into_inner);
    let start = std::process::id() as u16;
    for step in 0..COUNT {
        let port = FIRST + (start % COUNT + step) % COUNT;
        let ports: Vec<u16> =
            distances.iter().filter_map(|distance| port.checked_add_signed(*distance as i16)).collect();
        let claims: Vec<File> = ports.iter().map_while(|port| lock(&folder.join(port.to_string()), *port)).collect();
        if claims.len() == distances.len() {
            claimed.extend(claims);
            return port;
        }
    }
    panic!("no free ports at distances {distances:?}");
}

fn lock(path: &std::path::Path, port: u16) -> Option<File> {
    let file = File::options().create(true).append(true).open(path).ok()?;
    file.try_lock().ok()?;
    TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).is_ok().then_some(file)
}
