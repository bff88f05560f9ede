//! A TCP connection to or from an HA port.

use std::io::{self, IoSlice};
use std::net::SocketAddr;

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};

use super::{Frame, LinkError};
use crate::env::mailbox::Receiver;
use crate::protocol::ha::{
    Dialect, EPOCH_BYTES, GREETING, HELLO_BYTES, HELLO_TERM_BYTES, Head, Hello, Report, WELCOME_BYTES,
    WELCOME_TERM_BYTES, Welcome,
};

/// Room for reports: a leader reads many at a time.
const REPORTS_BYTES: usize = 1_024;

/// What a follower reads at a time at least.
const FRAMES_BYTES: usize = 64 * 1024;

/// Bytes of Java's first report, and of our greeting up to where it can be told apart.
const FIRST_BYTES: usize = 8;

/// Where followers connect.
pub enum Listener {
    /// A port of the broker alone.
    Port(TcpListener),
    /// Somebody else accepts on the port, keeps what is for others, and hands the rest on with nothing read of it.
    Handed(Receiver<(TcpStream, SocketAddr)>),
}

impl Listener {
    /// The next connection.
    ///
    /// # Errors
    /// The operating system's, such as no file descriptors left.
    pub async fn accept(&mut self) -> io::Result<(TcpStream, SocketAddr)> {
        match self {
            Listener::Port(socket) => socket.accept().await,
            Listener::Handed(connections) => match connections.recv().await {
                Some(connection) => Ok(connection),
                None => std::future::pending().await,
            },
        }
    }
}

/// How a follower introduced itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Introduction {
    /// A Java slave, by its first report.
    Java(Report),
    /// A broker of ours.
    Ours(Hello),
}

/// Waits for the follower's first words.
///
/// # Errors
/// [`LinkError`] when it says something else, or nothing and leaves.
pub async fn introduction(reader: &mut OwnedReadHalf) -> Result<Introduction, LinkError> {
    let mut bytes = [0; HELLO_BYTES];
    reader.read_exact(&mut bytes[..FIRST_BYTES]).await.map_err(ended)?;
    if bytes[..4] != GREETING.to_be_bytes() {
        let report = Report::decode(Dialect::Java, &bytes).ok_or(LinkError::Ended)?;
        return Ok(Introduction::Java(report));
    }
    reader.read_exact(&mut bytes[FIRST_BYTES..]).await.map_err(ended)?;
    let term = match Hello::has_term(&bytes)? {
        false => None,
        true => Some(exactly::<HELLO_TERM_BYTES>(reader).await?),
    };
    Ok(Introduction::Ours(Hello::decode(&bytes, term)))
}

/// How a leader answered a greeting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answered {
    /// A Java master took it for a report; the bytes begin its first frame.
    Java(BytesMut),
    /// A broker of ours.
    Ours(Welcome),
}

/// Greets the leader and waits for its first words.
///
/// # Errors
/// [`LinkError`] when the link ends before.
pub async fn greet(stream: &mut TcpStream, hello: Hello) -> Result<Answered, LinkError> {
    // In one write: a Java master takes the last eight bytes of what it reads at once for the offset to begin with.
    stream.write_all(&hello.encode()).await?;
    let mut head = [0; WELCOME_BYTES];
    stream.read_exact(&mut head[..4]).await.map_err(ended)?;
    if head[..4] != GREETING.to_be_bytes() {
        return Ok(Answered::Java(BytesMut::from(&head[..4])));
    }
    stream.read_exact(&mut head[4..]).await.map_err(ended)?;
    let (count, has_term) = Welcome::epochs_in(&head)?;
    let reign = match has_term {
        false => None,
        true => Some(exactly::<WELCOME_TERM_BYTES>(stream).await?),
    };
    let mut epochs = vec![0; count * EPOCH_BYTES];
    stream.read_exact(&mut epochs).await.map_err(ended)?;
    Ok(Answered::Ours(Welcome::decode(&head, reign.as_ref(), &epochs)))
}

async fn exactly<const BYTES: usize>(reader: &mut (impl AsyncReadExt + Unpin)) -> Result<[u8; BYTES], LinkError> {
    let mut bytes = [0; BYTES];
    reader.read_exact(&mut bytes).await.map_err(ended)?;
    Ok(bytes)
}

fn ended(error: io::Error) -> LinkError {
    if error.kind() == io::ErrorKind::UnexpectedEof { LinkError::Ended } else { error.into() }
}

/// Reports from the network.
pub struct ReportSource {
    reader: OwnedReadHalf,
    dialect: Dialect,
    buffer: BytesMut,
}

impl ReportSource {
    /// What follows the introduction.
    #[must_use]
    pub fn new(reader: OwnedReadHalf, dialect: Dialect) -> ReportSource {
        ReportSource { reader, dialect, buffer: BytesMut::new() }
    }

    pub(super) async fn next(&mut self) -> Result<Report, LinkError> {
        loop {
            // Each is handed out, not only the last: each must be believable.
            if let Some(report) = Report::decode(self.dialect, &self.buffer) {
                self.buffer.advance(self.dialect.report_bytes());
                return Ok(report);
            }
            self.buffer.reserve(REPORTS_BYTES);
            if self.reader.read_buf(&mut self.buffer).await? == 0 {
                return Err(LinkError::Ended);
            }
        }
    }
}

/// A frame on its way into the network.
pub struct FrameSink {
    writer: OwnedWriteHalf,
    dialect: Dialect,
    head: Vec<u8>,
    head_sent: usize,
    body: Bytes,
}

impl FrameSink {
    /// After the greetings.
    #[must_use]
    pub fn new(writer: OwnedWriteHalf, dialect: Dialect) -> FrameSink {
        FrameSink { writer, dialect, head: Vec::new(), head_sent: 0, body: Bytes::new() }
    }

    pub(super) fn is_idle(&self) -> bool {
        self.head_sent == self.head.len() && self.body.is_empty()
    }

    pub(super) fn put(&mut self, frame: Frame) {
        assert!(self.is_idle(), "one frame at a time");
        self.head.clear();
        frame.head.encode(self.dialect, &mut self.head);
        self.head_sent = 0;
        self.body = frame.body;
    }

    pub(super) async fn flush(&mut self) -> Result<(), LinkError> {
        while !self.is_idle() {
            let parts = [IoSlice::new(&self.head[self.head_sent..]), IoSlice::new(&self.body)];
            let written = self.writer.write_vectored(&parts).await?;
            if written == 0 {
                return Err(LinkError::Ended);
            }
            let of_head = written.min(self.head.len() - self.head_sent);
            self.head_sent += of_head;
            self.body.advance(written - of_head);
        }
        Ok(())
    }
}

/// Frames from the network.
pub struct FrameSource {
    reader: OwnedReadHalf,
    dialect: Dialect,
    buffer: BytesMut,
}

impl FrameSource {
    /// What follows the greetings; `buffer` holds what was read of it already.
    #[must_use]
    pub fn new(reader: OwnedReadHalf, dialect: Dialect, buffer: BytesMut) -> FrameSource {
        FrameSource { reader, dialect, buffer }
    }

    pub(super) async fn next(&mut self) -> Result<Frame, LinkError> {
        loop {
            let size = self.dialect.head_bytes();
            let missing = match Head::decode(self.dialect, &self.buffer)? {
                Some(head) if self.buffer.len() >= size + head.length => {
                    self.buffer.advance(size);
                    let body = self.buffer.split_to(head.length).freeze();
                    return Ok(Frame { head, body });
                }
                Some(head) => size + head.length - self.buffer.len(),
                None => size,
            };
            // The announced length is not allocated before bytes come: at most as much again as is there.
            self.buffer.reserve(missing.min(self.buffer.len()).max(FRAMES_BYTES));
            if self.reader.read_buf(&mut self.buffer).await? == 0 {
                return Err(LinkError::Ended);
            }
        }
    }
}

/// Reports into the network.
pub struct ReportSink {
    writer: OwnedWriteHalf,
    dialect: Dialect,
    bytes: Vec<u8>,
}

impl ReportSink {
    /// After the greetings.
    #[must_use]
    pub fn new(writer: OwnedWriteHalf, dialect: Dialect) -> ReportSink {
        ReportSink { writer, dialect, bytes: Vec::new() }
    }

    pub(super) async fn send(&mut self, report: Report) -> Result<(), LinkError> {
        self.bytes.clear();
        report.encode(self.dialect, &mut self.bytes);
        Ok(self.writer.write_all(&self.bytes).await?)
    }
}
