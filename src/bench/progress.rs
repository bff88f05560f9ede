//! Looks at the recorders every second: first the warm-up, then the time that counts.

use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::Error;
use super::interval::{Interval, Recorders};
use super::report::{Second, line};
use crate::env::{Env, Usage};

const SECOND: Duration = Duration::from_secs(1);

/// What was seen in the time that counts.
pub(super) struct Measured {
    pub(super) total: Interval,
    pub(super) elapsed: Duration,
    pub(super) seconds: Vec<Second>,
    /// At its beginning and its end.
    pub(super) server: Option<(Usage, Usage)>,
}

/// Watches one run.
pub(super) struct Watch<'r> {
    env: &'r Env,
    recorders: &'r Recorders,
    servers: &'r [u32],
    interrupt: Signal,
    interrupted: bool,
}

impl<'r> Watch<'r> {
    pub(super) fn new(env: &'r Env, recorders: &'r Recorders, servers: &'r [u32]) -> Result<Watch<'r>, Error> {
        let interrupt = signal(SignalKind::interrupt()).map_err(Error::Start)?;
        Ok(Watch { env, recorders, servers, interrupt, interrupted: false })
    }

    /// Returns after both times, or after Ctrl-C with what there is.
    pub(super) async fn measure(mut self, warmup: Duration, duration: Duration) -> Result<Measured, Error> {
        self.phase(warmup, |second| eprintln!("warm-up {}", line(second))).await;
        let before = self.server()?;
        let mut total = Interval::new();
        let mut seconds = Vec::new();
        let began = self.env.clock.monotonic();
        let intervals = self
            .phase(duration, |second| {
                eprintln!("{}", line(second));
                seconds.push(second.clone());
            })
            .await;
        intervals.iter().for_each(|interval| total.merge(interval));
        let elapsed = self.env.clock.monotonic().saturating_sub(began);
        let after = self.server()?;
        Ok(Measured { total, elapsed, seconds, server: before.zip(after) })
    }

    /// One look a second; returns the sum of what was seen, if anything.
    async fn phase(&mut self, length: Duration, mut show: impl FnMut(&Second)) -> Option<Interval> {
        let began = self.env.clock.monotonic();
        let (mut sum, mut last) = (None::<Interval>, Duration::ZERO);
        while last < length && !self.interrupted {
            let wake = length.min(last + SECOND);
            let at = self.env.clock.monotonic().saturating_sub(began);
            tokio::select! {
                () = tokio::time::sleep(wake.saturating_sub(at)) => {}
                _ = self.interrupt.recv() => self.interrupted = true,
            }
            let interval = self.recorders.take();
            let at = self.env.clock.monotonic().saturating_sub(began);
            show(&Second::new(at, at.saturating_sub(last), &interval));
            last = at;
            match &mut sum {
                Some(sum) => sum.merge(&interval),
                None => sum = Some(interval),
            }
        }
        sum
    }

    /// All server processes added up.
    fn server(&self) -> Result<Option<Usage>, Error> {
        let usage = |pid: &u32| Usage::of(*pid).map_err(|source| Error::Server { pid: *pid, source });
        Ok(self.servers.iter().map(usage).collect::<Result<Vec<_>, _>>()?.into_iter().reduce(Usage::plus))
    }
}
