//! What the user asks for: options of the command line, and the same checked.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};

use super::Error;
use super::message::Shape;
use crate::config::units::{self, TimeUnit};

/// Java's clients allow no more than this in one message, and brokers refuse it.
const SIZE_MAX: usize = 4 * 1024 * 1024;
/// Lanes of all connections together; each is a task.
const LANES_MAX: usize = 65_536;

/// Put load on any RocketMQ cluster and measure it
///
/// Works against ours and Java's: give the address of a NameServer. Progress goes to stderr, one line a second, the
/// result as a table to stdout and, with --json, as JSON with machine, revision and settings to a file.
///
/// Without --rate the loop is closed: every lane sends its next request when the last one was answered, which finds the
/// greatest throughput. With --rate it is open: requests are due at fixed times and a latency counts from the time its request was due,
/// so that a stall shows in the percentiles of all that had to wait for it.
#[derive(Args, Clone, Debug)]
#[command(after_help = EXAMPLES)]
pub struct Arguments {
    #[command(subcommand)]
    pub(super) command: What,
}

const EXAMPLES: &str = "\
Examples:
  How fast is a synchronous 1 KiB send at a load of 2000 messages a second, and what does it cost the server?
    mqcontainer bench send --namesrv 127.0.0.1:9876 --size 1KiB --connections 16 --rate 2000 --server-pid $(pgrep -x mqcontainer)

  How much do two brokers take, 64 sends in flight on each of 8 connections, and how fast is it read meanwhile?
    mqcontainer bench send --namesrv 127.0.0.1:9876 --mode async --connections 8 --inflight 64 --duration 30s --json send.json
    mqcontainer bench consume --namesrv 127.0.0.1:9876 --group bench-readers --duration 30s";

/// The two kinds of load.
#[derive(Subcommand, Clone, Debug)]
pub(super) enum What {
    /// Send messages; latency is from request to answer
    #[command(after_help = EXAMPLES)]
    Send(SendArguments),
    /// Read messages with long polls; latency is from a message's birth or --send-time to its arrival here
    #[command(after_help = EXAMPLES)]
    Consume(ConsumeArguments),
}

/// Options of both.
#[derive(Args, Clone, Debug)]
pub(super) struct Shared {
    /// The NameServer; several with ";", the first that answers is used
    #[arg(long, value_name = "HOST:PORT")]
    pub(super) namesrv: String,
    /// Created with --queues queues on every master when there is no such topic
    #[arg(long, default_value = "bench")]
    pub(super) topic: String,
    /// Queues per broker of a topic that is created
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(i32).range(1..=1024))]
    pub(super) queues: i32,
    /// Connections to each broker
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..=4096))]
    pub(super) connections: u32,
    /// Measured time ("30s", "2m")
    #[arg(long, default_value = "10s", value_parser = seconds)]
    pub(super) duration: Duration,
    /// Load before that, not counted
    #[arg(long, default_value = "3s", value_parser = seconds)]
    pub(super) warmup: Duration,
    /// Write the result as JSON
    #[arg(long, value_name = "FILE")]
    pub(super) json: Option<PathBuf>,
    /// Only queues of this broker; all masters of the topic without it
    #[arg(long, value_name = "NAME")]
    pub(super) broker: Option<String>,
    /// Server processes on this machine, whose CPU per message, memory and threads are reported too, added up
    #[arg(long, value_name = "PID,PID...", value_delimiter = ',')]
    pub(super) server_pid: Vec<u32>,
}

/// Options of `send`.
#[derive(Args, Clone, Debug)]
pub(super) struct SendArguments {
    #[command(flatten)]
    pub(super) shared: Shared,
    /// Bytes of a body, or a range ("1KiB", "100-4000")
    #[arg(long, default_value = "1KiB", value_parser = sizes)]
    pub(super) size: Sizes,
    /// Requests in flight on each connection, in mode async
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=1024))]
    pub(super) inflight: Option<u32>,
    /// Topics NAME-0 .. NAME-(N-1) instead of NAME alone; requests go to all their queues in turn
    #[arg(long, default_value_t = 1, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(super) topics: u32,
    /// Messages a second of all connections together, open loop
    #[arg(long, value_name = "MESSAGES")]
    pub(super) rate: Option<f64>,
    /// sync: one request in flight per connection; async: --inflight of them; oneway: no answer
    #[arg(long, value_enum, default_value_t = Mode::Sync)]
    pub(super) mode: Mode,
    /// Messages of each request; more than one sends batches (code 320)
    #[arg(long, default_value_t = 1, value_name = "MESSAGES", value_parser = clap::value_parser!(u32).range(1..=1024))]
    pub(super) batch: u32,
    /// Stop after so many messages at the latest, rounded up to whole requests; give --warmup 0s with it
    #[arg(long, value_name = "MESSAGES", value_parser = clap::value_parser!(u64).range(1..))]
    pub(super) messages: Option<u64>,
    /// Give each message the property BENCH_SENT, the time it was due or sent; `consume` then measures from it, in microseconds
    #[arg(long)]
    pub(super) send_time: bool,
}

/// Options of `consume`.
#[derive(Args, Clone, Debug)]
pub(super) struct ConsumeArguments {
    #[command(flatten)]
    pub(super) shared: Shared,
    /// Reads all queues itself, without sharing them with other members
    #[arg(long, default_value = "bench-consumer")]
    pub(super) group: String,
    /// Most messages of one pull
    #[arg(long, default_value_t = 32, value_name = "MESSAGES", value_parser = clap::value_parser!(i32).range(1..=1024))]
    pub(super) batch: i32,
    /// Where a group without progress begins
    #[arg(long, value_enum, default_value_t = From::First)]
    pub(super) from: From,
    /// Stop when all that was there at the start is read; give --warmup 0s with it
    #[arg(long)]
    pub(super) drain: bool,
}

/// How a request is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Mode {
    /// One in flight per connection.
    Sync,
    /// Several in flight per connection.
    Async,
    /// Nobody waits for an answer, and the broker gives none.
    Oneway,
}

/// Where to begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum From {
    /// The oldest message kept.
    First,
    /// What comes from now on.
    Last,
}

/// Bytes of a body, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sizes {
    pub(super) min: usize,
    pub(super) max: usize,
}

impl SendArguments {
    /// Requests in flight per connection.
    pub(super) fn lanes_per_connection(&self) -> Result<u32, Error> {
        let lanes = match (self.mode, self.inflight) {
            (Mode::Sync | Mode::Oneway, None | Some(1)) => 1,
            (Mode::Sync | Mode::Oneway, Some(_)) => {
                return Err(Error::Arguments(
                    "--inflight is for --mode async: the others have one request a connection".into(),
                ));
            }
            (Mode::Async, inflight) => inflight.unwrap_or(64),
        };
        if lanes as usize * self.shared.connections as usize > LANES_MAX {
            return Err(Error::Arguments(format!("--connections times --inflight is more than {LANES_MAX}")));
        }
        Ok(lanes)
    }

    /// The rate in requests a second; `None` for the closed loop.
    pub(super) fn request_rate(&self) -> Result<Option<f64>, Error> {
        match self.rate {
            Some(rate) if !(0.1..=1e8).contains(&rate) => {
                Err(Error::Arguments(format!("--rate {rate}: expected 0.1 to 100000000 messages a second")))
            }
            rate => Ok(rate.map(|rate| rate / f64::from(self.batch))),
        }
    }

    /// What requests look like.
    pub(super) fn shape(&self) -> Shape {
        Shape { queues: self.shared.queues, batch: self.batch, sizes: self.size, send_time: self.send_time }
    }

    /// Names of the topics.
    pub(super) fn topics(&self) -> Vec<Arc<str>> {
        let name = self.shared.topic.as_str();
        match self.topics {
            1 => vec![name.into()],
            topics => (0..topics).map(|number| format!("{name}-{number}").into()).collect(),
        }
    }

    /// Requests to make, if they are counted.
    pub(super) fn requests_max(&self) -> Option<u64> {
        self.messages.map(|messages| messages.div_ceil(u64::from(self.batch)))
    }

    /// Checks that a request fits into what brokers take.
    pub(super) fn check_size(&self) -> Result<(), Error> {
        let request = self.size.max * self.batch as usize;
        if request > SIZE_MAX {
            return Err(Error::Arguments(format!("a request of {request} bytes: brokers take {SIZE_MAX} at most")));
        }
        Ok(())
    }
}

fn seconds(text: &str) -> Result<Duration, String> {
    let millis = units::parse_time(text, TimeUnit::Millis).filter(|_| text.ends_with(char::is_alphabetic));
    let millis = millis.or_else(|| units::parse_time(text, TimeUnit::Seconds)?.checked_mul(1_000));
    millis
        .and_then(|millis| u64::try_from(millis).ok())
        .map(Duration::from_millis)
        .ok_or_else(|| "expected a time such as 30s, 2m or 500ms".into())
}

fn sizes(text: &str) -> Result<Sizes, String> {
    let size = |text: &str| units::parse_bytes(text).and_then(|bytes| usize::try_from(bytes).ok());
    let (min, max) = text.split_once('-').unwrap_or((text, text));
    match (size(min.trim()), size(max.trim())) {
        (Some(min), Some(max)) if 1 <= min && min <= max && max <= SIZE_MAX => Ok(Sizes { min, max }),
        _ => Err(format!("expected bytes such as 1KiB, or a range such as 100-4000, from 1 to {SIZE_MAX}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_one_number_or_a_range() {
        let check = |text: &str, expected: Option<(usize, usize)>| {
            assert_eq!(sizes(text).ok().map(|sizes| (sizes.min, sizes.max)), expected, "{text}");
        };
        check("1024", Some((1024, 1024)));
        check("1KiB", Some((1024, 1024)));
        check("100 - 4KiB", Some((100, 4096)));
        check("4MiB", Some((SIZE_MAX, SIZE_MAX)));
        check("5MiB", None);
        check("0", None);
        check("9-8", None);
        check("much", None);
    }

    #[test]
    fn times_are_seconds_unless_they_say_else() {
        let check = |text: &str, millis: Option<u64>| {
            assert_eq!(seconds(text).ok(), millis.map(Duration::from_millis), "{text}");
        };
        check("30", Some(30_000));
        check("30s", Some(30_000));
        check("500ms", Some(500));
        check("2m", Some(120_000));
        check("-1s", None);
        check("soon", None);
    }
}
