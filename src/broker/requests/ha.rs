//! EXCHANGE_BROKER_HA_INFO (906), GET_BROKER_HA_STATUS (907), RESET_MASTER_FLUSH_OFFSET (908), GET_BROKER_EPOCH_CACHE (1007)
//! (Java: `AdminBrokerProcessor`).

use std::net::SocketAddr;

use crate::broker::action::Action;
use crate::broker::core::Core;
use crate::broker::error::Error;
use crate::config::Role;
use crate::protocol::body::epochs::{EpochEntry, EpochEntryCache};
use crate::protocol::body::stats::{HaClientRuntimeInfo, HaConnectionRuntimeInfo, HaRuntimeInfo};
use crate::protocol::command::Command;
use crate::protocol::ha::Epoch;
use crate::protocol::headers::broker_admin::{EpochCacheResponse, ExchangeHaInfo, ResetMasterFlushOffsetRequest};
use crate::protocol::ids::{Millis, PhysicalOffset};

use super::{ok, ok_json};

impl Core {
    /// A slave asks where its master is, and the master says so; a master that is back says where it is, and its slave goes there.
    pub(super) fn exchange_ha_info(&self, command: &Command, actions: &mut Vec<Action>) -> Result<Command, Error> {
        let mut answer = ok();
        if self.config.role != Role::Slave {
            self.encode_ha_info(&mut answer);
        } else if self.member.is_none() {
            self.follow_master(&ExchangeHaInfo::decode(&command.ext)?, actions);
        }
        Ok(answer)
    }

    /// Where this master is.
    pub(in crate::broker) fn encode_ha_info(&self, command: &mut Command) {
        let addresses = self.config.addresses;
        let ha = self.ha_address();
        let address = SocketAddr::new(addresses.client, self.config.ports.main).to_string();
        ExchangeHaInfo {
            master_ha_address: Some(&ha),
            master_flush_offset: Some(self.initial_end),
            master_address: Some(&address),
        }
        .encode(&mut command.ext);
    }

    /// Whose bytes are in the log, and where it can be fetched. Java answers only when a controller chooses its masters.
    pub(super) fn epoch_cache(&self) -> Command {
        let (_, end) = self.view.log_range();
        let epochs = self.lineage.epochs().list();
        let ends = epochs.iter().skip(1).map(|next| next.start.0).chain([i64::MAX]);
        let entry = |(epoch, end_offset): (&Epoch, i64)| EpochEntry {
            end_offset,
            epoch: epoch.number,
            start_offset: epoch.start.0,
        };
        let mut answer = ok_json(&EpochEntryCache {
            broker_id: self.config.identity.id.0,
            broker_name: self.config.identity.name.clone(),
            cluster_name: self.config.identity.cluster.clone(),
            epoch_list: epochs.iter().zip(ends).map(entry).collect(),
            max_offset: end.0,
        });
        let ha = self.ha_address();
        EpochCacheResponse { ha_server_address: Some(&ha) }.encode(&mut answer.ext);
        answer
    }

    /// Where others fetch the log.
    fn ha_address(&self) -> String {
        SocketAddr::new(self.config.addresses.ha, self.config.ports.ha).to_string()
    }

    /// Sets what a slave shows as its master's flushed end; a master has none and takes the request without effect, as in Java.
    pub(super) fn reset_master_flush_offset(&mut self, command: &Command) -> Result<Command, Error> {
        let header = ResetMasterFlushOffsetRequest::decode(&command.ext)?;
        if self.config.role == Role::Slave {
            self.replicas.master_flushed = header.master_flush_offset;
        }
        Ok(ok())
    }

    /// How replication is doing.
    pub(super) fn ha_status(&mut self, now: Millis) -> Command {
        let end = self.view.log_range().1;
        let status =
            if self.config.role == Role::Slave { self.as_follower(now, end) } else { self.as_leader(now, end) };
        ok_json(&status)
    }

    fn as_leader(&self, now: Millis, end: PhysicalOffset) -> HaRuntimeInfo {
        let gap_max = self.config.replication.max_gap_not_in_sync;
        let connection = |(id, session): (_, &crate::replication::progress::Session)| {
            let behind = end - session.acknowledged;
            let traffic = self.replicas.traffic.get(&id);
            HaConnectionRuntimeInfo {
                addr: session.name(),
                slave_ack_offset: session.acknowledged.0,
                diff: behind,
                in_sync: behind < gap_max,
                transferred_byte_in_second: traffic.map_or(0, |traffic| traffic.per_second(now)).cast_signed(),
                transfer_from_where: traffic.map_or(0, |traffic| traffic.next().0),
            }
        };
        HaRuntimeInfo {
            master: true,
            master_commit_log_max_offset: end.0,
            in_sync_slave_nums: i32::try_from(self.replicas.progress.in_sync(end, gap_max)).unwrap_or(i32::MAX),
            ha_connection_info: self.replicas.progress.sessions().map(connection).collect(),
            ..HaRuntimeInfo::default()
        }
    }

    fn as_follower(&mut self, now: Millis, end: PhysicalOffset) -> HaRuntimeInfo {
        HaRuntimeInfo {
            master: false,
            ha_client_runtime_info: HaClientRuntimeInfo {
                master_addr: self.replicas.following.clone(),
                transferred_byte_in_second: self.replicas.rate.per_second(now).cast_signed(),
                max_offset: end.0,
                last_read_timestamp: self.replicas.heard.0,
                last_write_timestamp: self.replicas.heard.0,
                master_flush_offset: self.replicas.master_flushed.0,
                activated: self.replicas.following.is_some(),
            },
            ..HaRuntimeInfo::default()
        }
    }
}
