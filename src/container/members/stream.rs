//! One stream between two containers: dialing, and the task that reads and writes it.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::watch;

use super::owner::Event;
use super::plan::{ContainerId, Failure, StreamId};
use crate::env::mailbox::{Receiver, Sender};
use crate::protocol::raft::{
    Frame, GREETING_BYTES, Greeting, LETTERS_MAX, Letter, LetterError, Roster, encode_frame, frame_length,
};

/// How long a container may take to accept a connection, and to greet.
const PATIENCE: Duration = Duration::from_secs(1);

/// A stream that has nothing to say shows this often that it is there.
const PING: Duration = Duration::from_millis(500);

/// A stream that is silent for so long is closed: what is at the other end cannot be reached, or stands still.
pub(super) const SILENCE: Duration = Duration::from_secs(2);

/// What is read at a time at least.
const READ_BYTES: usize = 16 * 1024;

/// Why a stream ended.
#[derive(Debug, thiserror::Error)]
enum Ended {
    #[error("closed by the other side")]
    Closed,
    #[error("another stream has taken its place, or nobody needs it")]
    Unwanted,
    #[error("silent for {} ms", SILENCE.as_millis())]
    Silent,
    #[error("its first frame says not who is in the container")]
    NoRoster,
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error(transparent)]
    Frame(#[from] LetterError),
}

/// Connects to a member's port and greets.
pub(super) async fn dial(address: &str, me: ContainerId) -> Result<(ContainerId, TcpStream, SocketAddr), Failure> {
    let connected = tokio::time::timeout(PATIENCE, TcpStream::connect(address)).await;
    let failure = |error: io::Error| match error.kind() {
        io::ErrorKind::ConnectionRefused => Failure::Refused,
        _ => Failure::Other,
    };
    let mut stream = connected.map_err(|_| Failure::Other)?.map_err(failure)?;
    let remote = stream.peer_addr().map_err(|_| Failure::Other)?;
    // Without it small frames wait for the acknowledgement of the one before; a socket that refuses is about to fail.
    let _nodelay = stream.set_nodelay(true);
    let greeted = tokio::time::timeout(PATIENCE, greet(&mut stream, me)).await;
    match greeted {
        Ok(Ok(container)) => Ok((container, stream, remote)),
        Ok(Err(error)) => {
            tracing::debug!(address, %error, "no container greets there");
            Err(Failure::Other)
        }
        Err(_) => Err(Failure::Other),
    }
}

async fn greet(stream: &mut TcpStream, me: ContainerId) -> Result<ContainerId, Ended> {
    stream.write_all(&Greeting { container: me.0 }.encode()).await?;
    let mut answer = [0; GREETING_BYTES];
    stream.read_exact(&mut answer).await?;
    Ok(ContainerId(Greeting::decode(&answer)?.container))
}

/// A stream that stands.
pub(super) struct Stream {
    pub(super) id: StreamId,
    pub(super) remote: SocketAddr,
    /// What it says first when the other side has dialed.
    pub(super) greeting: Option<Greeting>,
    /// The stream ends when their sender is dropped.
    pub(super) letters: Receiver<Letter>,
    pub(super) roster: watch::Receiver<Arc<Roster>>,
    pub(super) events: Sender<Event>,
}

impl Stream {
    /// Reads and writes until either ends.
    pub(super) async fn run(self, socket: TcpStream) {
        let (reader, writer) = socket.into_split();
        let Stream { id, remote, greeting, letters, roster, events } = self;
        let ended = tokio::select! {
            ended = read(reader, id, &events) => ended,
            ended = write(writer, greeting, letters, roster) => ended,
        };
        let Err(reason) = ended;
        match reason {
            Ended::Frame(_) | Ended::NoRoster => tracing::warn!(%remote, %reason, "stream of a container closed"),
            _ => tracing::debug!(%remote, %reason, "stream of a container closed"),
        }
        // An error means that the process is ending.
        let _stopped = events.send(Event::Closed { stream: id }).await;
    }
}

async fn read(
    mut reader: OwnedReadHalf,
    stream: StreamId,
    events: &Sender<Event>,
) -> Result<std::convert::Infallible, Ended> {
    let mut buffer = BytesMut::new();
    let mut introduced = false;
    loop {
        while let Some(length) = frame_length(&buffer)?.filter(|length| buffer.len() >= *length) {
            let frame = Frame::decode(&buffer[..length])?;
            buffer.advance(length);
            introduced |= matches!(frame, Frame::Roster(_));
            if !introduced {
                return Err(Ended::NoRoster);
            }
            if matches!(&frame, Frame::Letters(letters) if letters.is_empty()) {
                continue;
            }
            events.send(Event::Frame { stream, frame }).await.map_err(|_| Ended::Unwanted)?;
        }
        // As much as has come and something more, never what a frame announces.
        buffer.reserve(READ_BYTES);
        match tokio::time::timeout(SILENCE, reader.read_buf(&mut buffer)).await {
            Ok(Ok(0)) => return Err(Ended::Closed),
            Ok(Ok(_)) => {}
            Ok(Err(error)) => return Err(error.into()),
            Err(_) => return Err(Ended::Silent),
        }
    }
}

async fn write(
    mut writer: OwnedWriteHalf,
    greeting: Option<Greeting>,
    mut letters: Receiver<Letter>,
    mut roster: watch::Receiver<Arc<Roster>>,
) -> Result<std::convert::Infallible, Ended> {
    let mut bytes = Vec::new();
    bytes.extend(greeting.iter().flat_map(|greeting| greeting.encode()));
    roster.borrow_and_update().encode(&mut bytes);
    let mut batch = Vec::new();
    loop {
        writer.write_all(&bytes).await?;
        bytes.clear();
        tokio::select! {
            biased;
            // A letter of somebody new is believed only after that.
            changed = roster.changed() => {
                changed.map_err(|_| Ended::Unwanted)?;
                roster.borrow_and_update().encode(&mut bytes);
            }
            taken = letters.recv_many(&mut batch, LETTERS_MAX) => {
                if taken == 0 {
                    return Err(Ended::Unwanted);
                }
                while !batch.is_empty() {
                    let taken = encode_frame(&batch, &mut bytes);
                    // One letter is far shorter than a frame; should one not be, it is left out.
                    batch.drain(..taken.max(1));
                }
            }
            () = tokio::time::sleep(PING) => drop(encode_frame(&[], &mut bytes)),
        }
    }
}
