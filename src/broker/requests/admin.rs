//! Which family an administrator's request belongs to (Java: `AdminBrokerProcessor.processRequest`).

use crate::broker::action::{Action, Cleaning, ConfigFile, RequestId};
use crate::broker::core::{Client, Core};
use crate::broker::error::Error;
use crate::protocol::codes::request;
use crate::protocol::command::Command;
use crate::protocol::ids::Millis;

use super::tables::Change;

impl Core {
    /// Every code that is not on the path of messages; an unknown one is refused.
    pub(super) fn dispatch_admin(
        &mut self,
        now: Millis,
        to: RequestId,
        client: &Client,
        command: &Command,
        actions: &mut Vec<Action>,
    ) -> Result<(), Error> {
        match command.code {
            request::UPDATE_AND_CREATE_TOPIC => self.update_topic(now, to, command, actions),
            request::UPDATE_AND_CREATE_TOPIC_LIST => self.update_topics(now, to, command, actions),
            request::DELETE_TOPIC_IN_BROKER => self.delete_topic(now, to, command, actions),
            request::UPDATE_AND_CREATE_SUBSCRIPTIONGROUP => self.update_group(now, to, command, actions),
            request::UPDATE_AND_CREATE_SUBSCRIPTIONGROUP_LIST => self.update_groups(now, to, command, actions),
            request::DELETE_SUBSCRIPTIONGROUP => self.delete_group(now, to, command, actions),
            request::UPDATE_AND_GET_GROUP_FORBIDDEN => self.group_forbidden(now, to, command, actions),
            request::CLONE_GROUP_OFFSET => self.clone_group_offset(now, to, command, actions),
            request::GET_TOPIC_STATS_INFO => self.topic_stats(to, command, actions),
            request::GET_CONSUME_STATS => self.consume_stats(to, command, actions),
            request::GET_BROKER_CONSUME_STATS => self.consume_stats_of_all(to, command, actions),
            request::QUERY_CONSUME_TIME_SPAN => self.consume_time_span(now, to, command, actions),
            request::QUERY_CONSUME_QUEUE => self.consume_queue(to, command, actions),
            request::GET_BROKER_RUNTIME_INFO => {
                self.runtime_info(now, to, actions);
                Ok(())
            }
            request::UPDATE_BROKER_CONFIG => self.update_config(now, to, client, command, actions),
            request::INVOKE_BROKER_TO_RESET_OFFSET => self.reset_offset(now, to, client, command, actions),
            request::GET_CONSUMER_RUNNING_INFO => self.forward_running_info(to, command, actions),
            request::INVOKE_BROKER_TO_GET_CONSUMER_STATUS => self.consumer_status(to, command, actions),
            request::CONSUME_MESSAGE_DIRECTLY => self.consume_directly(to, command, actions),
            request::GET_BROKER_HA_STATUS => {
                actions.push(Action::Reply { to, response: self.ha_status(now) });
                Ok(())
            }
            request::GET_TIMER_CHECK_POINT => {
                actions.push(Action::Reply { to, response: super::timer::checkpoint(now) });
                Ok(())
            }
            request::EXCHANGE_BROKER_HA_INFO => {
                let response = self.exchange_ha_info(command, actions)?;
                actions.push(Action::Reply { to, response });
                Ok(())
            }
            request::RESET_MASTER_FLUSH_OFFSET => {
                actions.push(Action::Reply { to, response: self.reset_master_flush_offset(command)? });
                Ok(())
            }
            request::CLEAN_EXPIRED_CONSUMEQUEUE => {
                self.clean(to, Cleaning::Queues, actions);
                Ok(())
            }
            request::DELETE_EXPIRED_COMMITLOG => {
                self.clean(to, Cleaning::Log, actions);
                Ok(())
            }
            request::CLEAN_UNUSED_TOPIC => {
                self.clean_unused_topics(to, actions);
                Ok(())
            }
            _ => {
                let response = self.answer_admin(command)?;
                actions.push(Action::Reply { to, response });
                Ok(())
            }
        }
    }

    /// Requests that change nothing and are answered from memory.
    fn answer_admin(&self, command: &Command) -> Result<Command, Error> {
        match command.code {
            request::GET_ALL_TOPIC_CONFIG => self.all_topics(command),
            request::GET_TOPIC_CONFIG => self.topic_config(command),
            request::GET_SYSTEM_TOPIC_LIST_FROM_BROKER => Ok(self.system_topic_list()),
            request::QUERY_TOPIC_CONSUME_BY_WHO => self.groups_of_topic(command),
            request::QUERY_TOPICS_BY_CONSUMER => self.topics_of_group(command),
            request::QUERY_SUBSCRIPTION_BY_CONSUMER => self.subscription_of_group(command),
            request::GET_ALL_SUBSCRIPTIONGROUP_CONFIG => self.all_groups(command),
            request::GET_SUBSCRIPTIONGROUP_CONFIG => self.group_config(command),
            request::GET_CONSUMER_CONNECTION_LIST => self.consumer_connection(command),
            request::GET_PRODUCER_CONNECTION_LIST => self.producer_connection(command),
            request::GET_ALL_PRODUCER_INFO => Ok(self.producer_table()),
            request::VIEW_BROKER_STATS_DATA => self.broker_stats(command),
            request::QUERY_CORRECTION_OFFSET => self.correction_offsets(command),
            request::GET_BROKER_CONFIG => Ok(self.show_config()),
            request::GET_BROKER_EPOCH_CACHE => Ok(self.epoch_cache()),
            request::GET_ALL_CONSUMER_OFFSET => Ok(self.all_consumer_offsets()),
            request::GET_ALL_DELAY_OFFSET => Ok(self.all_delay_offsets()),
            request::GET_ALL_MESSAGE_REQUEST_MODE => Ok(super::broker_admin::no_request_modes()),
            request::GET_TIMER_METRICS => Ok(super::timer::metrics()),
            code => Err(Error::CodeUnknown { code }),
        }
    }

    /// Answers a change of a table when the table is as safe as a message would be.
    pub(super) fn answer_when_saved(
        &mut self,
        now: Millis,
        file: ConfigFile,
        to: RequestId,
        response: Command,
        actions: &mut Vec<Action>,
    ) {
        self.answer_when_copied(now, Change::Table(file), to, response, actions);
    }
}
