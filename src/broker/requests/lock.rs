//! LOCK_BATCH_MQ (41) and UNLOCK_BATCH_MQ (42): queues of ordered consumers.

use crate::broker::core::Core;
use crate::broker::error::Error;
use crate::protocol::body::lock::{LockRequest, LockResponse};
use crate::protocol::command::Command;
use crate::protocol::ids::Millis;

use super::lookup::body;
use super::{ok, ok_json};

impl Core {
    /// Grants what is free; the answer lists the queues the client holds now.
    pub(super) fn lock_queues(&mut self, now: Millis, command: &Command) -> Result<Command, Error> {
        let asked: LockRequest = body(command)?;
        let granted = self.locks.lock(now, &asked.consumer_group, &asked.client_id, &asked.mq_set);
        Ok(ok_json(&LockResponse { locked: granted }))
    }

    /// Gives the client's own locks back.
    pub(super) fn unlock_queues(&mut self, command: &Command) -> Result<Command, Error> {
        let asked: LockRequest = body(command)?;
        self.locks.unlock(&asked.consumer_group, &asked.client_id, &asked.mq_set);
        Ok(ok())
    }
}
