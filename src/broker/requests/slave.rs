//! What a slave refuses (Java: `rejectRequest` of the processors, `HookUtils.checkBeforePutMessage`, `AdminBrokerProcessor`).
//!
//! Everything else it does like a master: it gives messages out, takes offsets, knows clients, locks queues, answers tools.

use crate::broker::core::Core;
use crate::broker::error::Error;
use crate::protocol::codes::request;
use crate::protocol::command::Command;

impl Core {
    /// Refuses what would make this slave another than its master.
    pub(super) fn check_slave(&self, command: &Command) -> Result<(), Error> {
        let broker = || self.config.identity.name.clone();
        match command.code {
            request::SEND_MESSAGE | request::SEND_MESSAGE_V2 | request::SEND_BATCH_MESSAGE => {
                Err(Error::SlaveNotWritable { broker: broker() })
            }
            request::PULL_MESSAGE | request::LITE_PULL_MESSAGE if !self.config.requests.slave_read => {
                Err(Error::SlaveNotReadable { broker: broker() })
            }
            request::UPDATE_AND_CREATE_TOPIC
            | request::UPDATE_AND_CREATE_TOPIC_LIST
            | request::DELETE_TOPIC_IN_BROKER
            | request::CLEAN_UNUSED_TOPIC
            | request::UPDATE_AND_CREATE_SUBSCRIPTIONGROUP
            | request::UPDATE_AND_CREATE_SUBSCRIPTIONGROUP_LIST
            | request::DELETE_SUBSCRIPTIONGROUP
            | request::UPDATE_AND_GET_GROUP_FORBIDDEN => {
                let reason =
                    "Can't modify topic or subscription group from slave broker, please execute it from master \
                              broker."
                        .to_owned();
                Err(Error::Failed { reason })
            }
            request::INVOKE_BROKER_TO_RESET_OFFSET | request::CLONE_GROUP_OFFSET => {
                Err(Error::Failed { reason: "Can not reset offset in slave broker".to_owned() })
            }
            _ => Ok(()),
        }
    }
}
