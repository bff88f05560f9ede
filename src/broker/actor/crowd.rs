//! Whether waiting a moment makes a batch larger.
//!
//! The runtime runs a task that was woken before the tasks that wait for their turn. So of sixteen connections whose requests came in
//! together the first one's task would wake the actor, the actor would store one message, and so on: one write a message. When many
//! connections have been asking, the actor lets their tasks run first. With few it does not, because going to the end of the queue
//! wakes an idle thread, which costs more than it can gain.

use std::pin::Pin;
use std::task::{Context, Poll};

use crate::remoting::ConnectionId;

/// Requests of one look.
const WINDOW: u32 = 32;
/// Connections among them that make a crowd.
const DENSE: u32 = 4;

/// How many connections the latest requests came from.
#[derive(Debug, Default)]
pub(super) struct Crowd {
    /// One bit per connection, by its number modulo 64.
    seen: u64,
    requests: u32,
    dense: bool,
}

impl Crowd {
    pub(super) fn saw(&mut self, connection: ConnectionId) {
        self.seen |= 1 << (connection.0 % 64);
        self.requests += 1;
        if self.requests == WINDOW {
            *self = Crowd { dense: self.seen.count_ones() >= DENSE, ..Crowd::default() };
        }
    }

    pub(super) fn is_dense(&self) -> bool {
        self.dense
    }
}

/// Goes once to the end of the runtime's queue. Not `tokio::task::yield_now`, which polls the sockets in between.
pub(super) async fn let_others_run() {
    LetOthersRun { done: false }.await;
}

struct LetOthersRun {
    done: bool,
}

impl Future for LetOthersRun {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if self.done {
            return Poll::Ready(());
        }
        self.done = true;
        context.waker().wake_by_ref();
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(connections: impl IntoIterator<Item = u64>, dense: bool) {
        let mut crowd = Crowd::default();
        connections.into_iter().for_each(|connection| crowd.saw(ConnectionId(connection)));
        assert_eq!(crowd.is_dense(), dense, "{crowd:?}");
    }

    #[test]
    fn four_connections_among_the_latest_requests_are_a_crowd() {
        check([], false);
        check((0..31).map(|number| number % 16), false);
        check((0..32).map(|number| number % 16), true);
        check((0..32).map(|number| number % 3), false);
        check((0..32).map(|number| number % 4), true);
        // One that goes on alone is none.
        check((0..64).map(|number| if number < 32 { number } else { 7 }), false);
    }
}
