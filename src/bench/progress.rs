//! Looks at the recorders every second: first the warm-up, then the time that counts.

use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::Error;
use super::finish::Finish;
use super::interval::{Interval, Recorders};
use super::report::{Second, line};
use super::run::Load;
use crate::env::{Env, Usage};

const SECOND: Duration = Duration::from_secs(1);

/// What was seen in the time that counts.
pub(super) struct Measured {
    pub(super) total: Interval,
    pub(super) elapsed: Duration,
    pub(super) seconds: Vec<Second>,
    /// At its beginning and its end.
    pub(super) server: Option<(Usage, Usage)>,
    /// This process, at the same moments; `None` without `/proc`.
    pub(super) generator: Option<(Usage, Usage)>,
}

/// Watches one run.
pub(super) struct Watch<'r> {
    env: &'r Env,
    recorders: &'r Recorders,
    finish: &'r Finish,
    finished: bool,
    servers: &'r [u32],
    interrupt: Signal,
    interrupted: bool,
}

impl<'r> Watch<'r> {
    pub(super) fn new(env: &'r Env, load: &'r Load, servers: &'r [u32]) -> Result<Watch<'r>, Error> {
        let interrupt = signal(SignalKind::interrupt()).map_err(Error::Start)?;
        let (recorders, finish) = (&load.recorders, &load.finish);
        Ok(Watch { env, recorders, finish, finished: false, servers, interrupt, interrupted: false })
    }

    /// Returns after both times, or after Ctrl-C or the end of a counted load with what there is.
    pub(super) async fn measure(mut self, warmup: Duration, duration: Duration) -> Result<Measured, Error> {
        self.phase(warmup, |second| eprintln!("warm-up {}", line(second))).await;
        let before = self.server()?;
        let generator_before = Usage::now().ok();
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
        let generator = generator_before.zip(Usage::now().ok());
        Ok(Measured { total, elapsed, seconds, server: before.zip(after), generator })
    }

    /// One look a second; returns the sum of what was seen, if anything.
    async fn phase(&mut self, length: Duration, mut show: impl FnMut(&Second)) -> Option<Interval> {
        let began = self.env.clock.monotonic();
        let (mut sum, mut last) = (None::<Interval>, Duration::ZERO);
        while last < length && !self.interrupted && !self.finished {
            let wake = length.min(last + SECOND);
            let at = self.env.clock.monotonic().saturating_sub(began);
            tokio::select! {
                () = tokio::time::sleep(wake.saturating_sub(at)) => {}
                _ = self.interrupt.recv() => self.interrupted = true,
                () = self.finish.reached() => self.finished = true,
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
