//! Tasks of the shared runtime, each with a kind and an owner.

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// What a task is for; the closed list of all tasks of the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TaskKind {
    /// Accepts connections on one port. Cancel: stops accepting. Error: its owner stops.
    Listener,
    /// Reads and writes one connection. Cancel: drains its answers, then closes. Error: closes the connection.
    Connection,
    /// Watches the outgoing connections of one client. Cancel: drains and closes them.
    Outgoing,
    /// Opens one broker's store and starts its actor. Cancel: ignored, it ends by itself. Error or panic: the start failed.
    BrokerStart,
    /// Owns one broker. Cancel: ordered stop. Error or panic: the supervisor restarts the broker with back-off.
    BrokerActor,
    /// Follows a slave's master for what is not in the log. Cancel: ends. Error: logged, tried again.
    Slave,
    /// Gives messages of an acting slave to other masters. Cancel: drops them, their broker keeps them. Error: the broker is told.
    Escape,
    /// Reads messages for one pull. Cancel: ignored, it is short. Error: that pull is answered with an error.
    Read,
    /// Carries a log between a leader and a follower. Cancel: closes the link. Error: the follower makes it again.
    Replication,
    /// Brings letters between members of DLedger groups. Cancel: closes its stream. Error: the other side is dialed again.
    Members,
    /// Owns the embedded NameServer. Cancel: persists and ends.
    NameServer,
    /// Registers brokers at NameServers. Cancel: unregisters and ends. Error: logged, tried again.
    Registration,
    /// Starts, watches and restarts one broker. Cancel: stops it in order.
    Supervisor,
    /// Carries out one request to the container. Cancel: ignored, it ends by itself.
    ContainerRequest,
    /// Serves the HTTP endpoint. Cancel: closes. Error: closes that connection.
    Http,
    /// Produces load in `mqcontainer bench`.
    Load,
}

/// Starts tasks and knows when all of them have ended.
#[derive(Clone)]
pub struct Tasks {
    tracker: TaskTracker,
    stop: CancellationToken,
}

impl Default for Tasks {
    fn default() -> Self {
        Self::new()
    }
}

/// Why a watched task ended early.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{kind:?} of {owner} panicked: {message}")]
pub struct Panicked {
    /// The task's kind.
    pub kind: TaskKind,
    /// Whose task it was.
    pub owner: Arc<str>,
    /// The panic's text.
    pub message: String,
}

impl Tasks {
    /// No tasks yet.
    #[must_use]
    pub fn new() -> Tasks {
        Tasks { tracker: TaskTracker::new(), stop: CancellationToken::new() }
    }

    /// A group of tasks that ends when this one does, and that can be ended alone.
    #[must_use]
    pub fn child(&self) -> Tasks {
        Tasks { tracker: TaskTracker::new(), stop: self.stop.child_token() }
    }

    /// Asks all tasks to end.
    pub fn cancel(&self) {
        self.stop.cancel();
    }

    /// Ends when the group is asked to end.
    pub async fn cancelled(&self) {
        self.stop.cancelled().await;
    }

    /// Whether the group was asked to end.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.stop.is_cancelled()
    }

    /// Waits until every task of the group has ended (ask them first).
    pub async fn ended(&self) {
        self.tracker.close();
        self.tracker.wait().await;
    }

    /// Starts a task; a panic in it is caught, logged and returned to whoever joins it.
    #[expect(clippy::disallowed_methods, reason = "this is the door")]
    pub fn spawn<F>(&self, kind: TaskKind, owner: &Arc<str>, task: F) -> JoinHandle<Result<F::Output, Panicked>>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let owner = Arc::clone(owner);
        tokio::spawn(self.tracker.track_future(async move {
            CatchPanic(Box::pin(AssertUnwindSafe(task))).await.map_err(|message| {
                tracing::error!(?kind, %owner, message, "task panicked");
                Panicked { kind, owner, message }
            })
        }))
    }
}

/// Polls a future and turns its panic into an error.
struct CatchPanic<F>(std::pin::Pin<Box<AssertUnwindSafe<F>>>);

impl<F: Future> Future for CatchPanic<F> {
    type Output = Result<F::Output, String>;

    fn poll(mut self: std::pin::Pin<&mut Self>, context: &mut std::task::Context<'_>) -> std::task::Poll<Self::Output> {
        let polled = std::panic::catch_unwind(AssertUnwindSafe(|| self.0.as_mut().poll(context)));
        match polled {
            Ok(poll) => poll.map(Ok),
            Err(panic) => std::task::Poll::Ready(Err(panic_text(panic.as_ref()))),
        }
    }
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    if let Some(text) = panic.downcast_ref::<&str>() {
        (*text).to_owned()
    } else if let Some(text) = panic.downcast_ref::<String>() {
        text.clone()
    } else {
        "no text".to_owned()
    }
}
