//! Two bounded queues between a leader and a follower of one process.

use std::fmt;

use tokio::sync::watch;

use super::{Frame, LinkError};
use crate::env::mailbox::{self, Receiver, Sender, oneshot};
use crate::protocol::ha::{Hello, Report, Welcome};

/// Frames under way at a time; with 32 KiB each half a megabyte.
const FRAMES_MAX: usize = 16;

/// A follower of this process asks to be served.
pub struct Call {
    /// Its greeting.
    pub hello: Hello,
    /// Where the leader's side is expected.
    pub answer: oneshot::Sender<Answer>,
}

/// Where followers of the same process find a leader.
#[derive(Clone)]
pub struct Door(Sender<Call>);

/// Calls that may wait; a group has a handful of members.
const CALLS_MAX: usize = 16;

impl Door {
    /// A door, and where its calls arrive.
    #[must_use]
    pub fn new() -> (Door, Receiver<Call>) {
        let (calls, receiver) = mailbox::bounded(CALLS_MAX);
        (Door(calls), receiver)
    }

    /// Asks the leader behind it to serve a follower.
    ///
    /// # Errors
    /// [`LinkError::Ended`] when nobody leads there any more.
    pub async fn call(&self, hello: Hello) -> Result<Answer, LinkError> {
        let (answer, answered) = oneshot::channel();
        self.0.send(Call { hello, answer }).await.map_err(|_| LinkError::Ended)?;
        answered.await.map_err(|_| LinkError::Ended)
    }
}

impl PartialEq for Door {
    fn eq(&self, other: &Door) -> bool {
        self.0.same_channel(&other.0)
    }
}

impl Eq for Door {}

impl fmt::Debug for Door {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a broker of this process")
    }
}

/// The follower's side of a link that stands.
pub struct Answer {
    /// The leader's greeting.
    pub welcome: Welcome,
    /// What the leader sends.
    pub frames: FrameSource,
    /// What the leader hears.
    pub reports: ReportSink,
}

/// Both sides of a new link: the leader's, then the follower's.
#[must_use]
pub fn link() -> ((FrameSink, ReportSource), (FrameSource, ReportSink)) {
    let (frames, source) = mailbox::bounded(FRAMES_MAX);
    let (reports, reported) = watch::channel(None);
    let leader = (FrameSink { frames, pending: None }, ReportSource { reports: reported });
    (leader, (FrameSource { frames: source }, ReportSink { reports }))
}

/// Reports that come: only the newest counts, so there is no queue.
pub struct ReportSource {
    reports: watch::Receiver<Option<Report>>,
}

impl ReportSource {
    pub(super) async fn next(&mut self) -> Result<Report, LinkError> {
        loop {
            self.reports.changed().await.map_err(|_| LinkError::Ended)?;
            if let Some(report) = *self.reports.borrow_and_update() {
                return Ok(report);
            }
        }
    }
}

/// Frames on their way.
pub struct FrameSink {
    frames: Sender<Frame>,
    pending: Option<Frame>,
}

impl FrameSink {
    pub(super) fn is_idle(&self) -> bool {
        self.pending.is_none()
    }

    pub(super) fn put(&mut self, frame: Frame) {
        assert!(self.pending.is_none(), "one frame at a time");
        self.pending = Some(frame);
    }

    pub(super) async fn flush(&mut self) -> Result<(), LinkError> {
        if self.pending.is_none() {
            return Ok(());
        }
        let place = self.frames.reserve().await.map_err(|_| LinkError::Ended)?;
        if let Some(frame) = self.pending.take() {
            place.send(frame);
        }
        Ok(())
    }
}

/// Frames that have come.
pub struct FrameSource {
    frames: Receiver<Frame>,
}

impl FrameSource {
    pub(super) async fn next(&mut self) -> Result<Frame, LinkError> {
        self.frames.recv().await.ok_or(LinkError::Ended)
    }
}

/// Where reports go.
pub struct ReportSink {
    reports: watch::Sender<Option<Report>>,
}

impl ReportSink {
    pub(super) fn send(&mut self, report: Report) -> Result<(), LinkError> {
        self.reports.send(Some(report)).map_err(|_| LinkError::Ended)
    }
}
