//! Carriers of the same messages: a TCP connection, or two queues between brokers of one process.
//!
//! ```text
//!   leader                                        follower
//!   Reports  <-- [`Report`]  -- tcp | local --    ReportSink
//!   Frames   --- [`Frame`]   -- tcp | local -->   FrameSource
//! ```
//!
//! What a local link carries is not copied: the bytes read from the leader's file are those the follower appends. Every operation
//! that waits may be dropped and started again without losing anything, so a session waits for several at a time.

pub mod local;
pub mod tcp;

use std::io;

use bytes::Bytes;

use crate::protocol::ha::{FrameError, Head, Report};

/// A part of the log on its way; without bytes a heartbeat.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Where it belongs.
    pub head: Head,
    /// As many bytes as the head says.
    pub body: Bytes,
}

/// Why a link carries nothing any more.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    /// The other side closed it.
    #[error("the other side closed the link")]
    Ended,
    /// The network did.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The other side sent nonsense.
    #[error(transparent)]
    Frame(#[from] FrameError),
}

/// Reports that reach a leader.
pub enum Reports {
    /// Over the network.
    Tcp(tcp::ReportSource),
    /// From a broker of this process.
    Local(local::ReportSource),
}

impl Reports {
    /// The next report; waits for one.
    ///
    /// # Errors
    /// [`LinkError`] when none will come any more.
    pub async fn next(&mut self) -> Result<Report, LinkError> {
        match self {
            Reports::Tcp(source) => source.next().await,
            Reports::Local(source) => source.next().await,
        }
    }
}

/// Frames that leave a leader, one at a time.
pub enum Frames {
    /// Over the network.
    Tcp(tcp::FrameSink),
    /// To a broker of this process.
    Local(local::FrameSink),
}

impl Frames {
    /// Whether the frame before has gone out.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        match self {
            Frames::Tcp(sink) => sink.is_idle(),
            Frames::Local(sink) => sink.is_idle(),
        }
    }

    /// Takes a frame; [`Frames::flush`] sends it.
    pub fn put(&mut self, frame: Frame) {
        match self {
            Frames::Tcp(sink) => sink.put(frame),
            Frames::Local(sink) => sink.put(frame),
        }
    }

    /// Sends what was taken.
    ///
    /// # Errors
    /// [`LinkError`] when the link is gone.
    pub async fn flush(&mut self) -> Result<(), LinkError> {
        match self {
            Frames::Tcp(sink) => sink.flush().await,
            Frames::Local(sink) => sink.flush().await,
        }
    }
}

/// Frames that reach a follower.
pub enum FrameSource {
    /// Over the network.
    Tcp(tcp::FrameSource),
    /// From a broker of this process.
    Local(local::FrameSource),
}

impl FrameSource {
    /// The next frame.
    ///
    /// # Errors
    /// [`LinkError`] when none will come any more.
    pub async fn next(&mut self) -> Result<Frame, LinkError> {
        match self {
            FrameSource::Tcp(source) => source.next().await,
            FrameSource::Local(source) => source.next().await,
        }
    }
}

/// Reports that leave a follower.
pub enum ReportSink {
    /// Over the network.
    Tcp(tcp::ReportSink),
    /// To a broker of this process.
    Local(local::ReportSink),
}

impl ReportSink {
    /// Sends a report. Reports are small and the leader reads them at once, so this is not interrupted by anything.
    ///
    /// # Errors
    /// [`LinkError`] when the link is gone.
    pub async fn send(&mut self, report: Report) -> Result<(), LinkError> {
        match self {
            ReportSink::Tcp(sink) => sink.send(report).await,
            ReportSink::Local(sink) => sink.send(report),
        }
    }
}
