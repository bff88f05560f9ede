//! The client that does nothing wrong, on connections of its own.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use mqcontainer::protocol::ids::QueueOffset;
use tokio::task::JoinHandle;

use crate::support::{Outcome, Peer, until};

/// Sends and pulls until it is stopped.
pub struct Healthy {
    stop: Arc<AtomicBool>,
    rounds: Arc<AtomicUsize>,
    task: JoinHandle<Result<(), String>>,
}

impl Healthy {
    pub fn start(broker: &str) -> Healthy {
        let (stop, rounds) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let (stopped, counted, broker) = (Arc::clone(&stop), Arc::clone(&rounds), broker.to_owned());
        let task = tokio::spawn(async move {
            let peer = Peer::new();
            while !stopped.load(Ordering::SeqCst) {
                let round = counted.load(Ordering::SeqCst);
                one_round(&peer, &broker, round).await.map_err(|error| format!("round {round}: {error}"))?;
                counted.store(round + 1, Ordering::SeqCst);
            }
            Ok(())
        });
        Healthy { stop, rounds, task }
    }

    /// Waits for rounds that began after now.
    pub async fn goes_on(&self) {
        let wanted = self.rounds.load(Ordering::SeqCst) + 2;
        let goes_on = || async { self.rounds.load(Ordering::SeqCst) >= wanted || self.task.is_finished() };
        until("the healthy client goes on", goes_on).await;
        assert!(!self.task.is_finished(), "the healthy client was disturbed");
    }

    /// How many rounds it made, all of them without an error.
    pub async fn stop(self) -> Outcome<usize> {
        self.stop.store(true, Ordering::SeqCst);
        self.task.await??;
        Ok(self.rounds.load(Ordering::SeqCst))
    }
}

/// One message there, and the same message back; only its own are in the queue.
async fn one_round(peer: &Peer, broker: &str, round: usize) -> Result<(), String> {
    let body = format!("round {round}");
    let text = |error: Box<dyn std::error::Error>| error.to_string();
    let offset = peer.send(broker, "Healthy", &body).await.map_err(text)?;
    let expected = i64::try_from(round).map_err(|error| error.to_string())?;
    if offset != QueueOffset(expected) {
        return Err(format!("it is at {offset:?}"));
    }
    loop {
        let pulled = peer.pull(broker, "Healthy", offset).await.map_err(text)?;
        match pulled.as_slice() {
            // It can be read a moment after it was sent.
            [] => tokio::task::yield_now().await,
            [only] if *only == body => return Ok(()),
            other => return Err(format!("{other:?} came instead of {body:?}")),
        }
    }
}
