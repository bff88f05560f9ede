//! Runs of the load generator on a deployment.

use std::path::Path;
use std::time::{Duration, Instant};

use crate::harness::deployment::Deployment;
use crate::harness::generator::{Generator, Load, millis};

/// A backlog that takes longer stays incomplete.
const FILL_MAX: Duration = Duration::from_secs(300);

/// A load on one deployment.
pub struct Client<'d> {
    pub generator: &'d Path,
    pub deployment: &'d Deployment,
    /// Seconds that are not counted.
    pub warmup: f64,
    /// Seconds that are.
    pub seconds: f64,
}

impl Client<'_> {
    /// Sends until the time is over.
    pub fn send(&self, topic: &str, bytes: u32, connections: u32, more: &[String]) -> Option<Load> {
        self.start_send(topic, bytes, connections, more).load()
    }

    pub fn start_send(&self, topic: &str, bytes: u32, connections: u32, more: &[String]) -> Generator {
        let mut options = self.options("send", topic, connections);
        options.extend(["--size".to_owned(), bytes.to_string()]);
        options.extend_from_slice(more);
        // Several may run at once, each with a file of its own.
        let name = format!("send-{topic}{}", more.concat());
        Generator::start(self.generator, self.deployment.directory(), &name, &options)
    }

    /// Sends a number of messages as fast as it goes, in batches; what is refused (Java answers SYSTEM_BUSY at times) is sent
    /// again. Returns how many are missing because time was over.
    pub fn fill(&self, topic: &str, bytes: u32, messages: u64, more: &[String]) -> u64 {
        let (began, mut missing) = (Instant::now(), messages);
        while missing > 0 && began.elapsed() < FILL_MAX {
            let client = Client { warmup: 0.0, seconds: FILL_MAX.as_secs_f64(), ..*self };
            let count = ["--messages", &missing.to_string(), "--batch", "32"].map(str::to_owned);
            let Some(load) = client.send(topic, bytes, 4, &[&count, more].concat()) else { break };
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count")]
            let stored = load.messages as u64;
            missing = missing.saturating_sub(stored);
        }
        if missing > 0 {
            eprintln!("{topic}: {missing} of {messages} messages were not taken within {FILL_MAX:?}");
        }
        missing
    }

    /// Reads all that a topic holds.
    pub fn drain(&self, topic: &str, group: &str) -> Option<Load> {
        self.start_drain(topic, group, &[]).load()
    }

    pub fn start_drain(&self, topic: &str, group: &str, more: &[String]) -> Generator {
        let client = Client { warmup: 0.0, seconds: 120.0, ..*self };
        client.start_consume(topic, group, &[&["--drain".to_owned()], more].concat())
    }

    /// Reads what comes from now on.
    pub fn start_tail(&self, topic: &str, group: &str) -> Generator {
        self.start_consume(topic, group, &["--from".to_owned(), "last".to_owned()])
    }

    fn start_consume(&self, topic: &str, group: &str, more: &[String]) -> Generator {
        let mut options = self.options("consume", topic, 4);
        options.extend(["--group".to_owned(), group.to_owned()]);
        options.extend_from_slice(more);
        Generator::start(self.generator, self.deployment.directory(), &format!("consume-{topic}"), &options)
    }

    fn options(&self, load: &str, topic: &str, connections: u32) -> Vec<String> {
        let options = [
            ("--topic", topic.to_owned()),
            ("--namesrv", self.deployment.namesrv.clone()),
            ("--server-pid", self.deployment.pids()),
            ("--connections", connections.to_string()),
            ("--warmup", millis(self.warmup)),
            ("--duration", millis(self.seconds)),
        ];
        let options = options.into_iter().flat_map(|(name, value)| [name.to_owned(), value]);
        [load.to_owned()].into_iter().chain(options).collect()
    }
}
