//! Who must hold a message before its producer is told, and whether it may be stored at all. Pure.
//!
//! ```text
//! role, inSyncReplicas, .. + replicas alive and in sync -> admitted with so many acknowledgements | not enough replicas
//! ```
//!
//! Follows Java's `CommitLog.asyncPutMessage`, `needHandleHA`, `calcNeedAckNums`; reference/container.md section 5. The numbers of
//! the configuration count the leader; the numbers here do not.

use crate::config::{Replication, Role};

/// What is known of the group when a message comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Group {
    /// Members alive as the NameServers know, the leader included.
    pub alive: usize,
    /// Followers in sync, the leader not included.
    pub in_sync: usize,
}

/// A message may not be stored: fewer replicas are in sync than it needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("in-sync replicas not enough: {in_sync} of {needed}")]
pub struct NotEnough {
    /// Replicas in sync, the leader included.
    pub in_sync: usize,
    /// Replicas needed, the leader included.
    pub needed: usize,
}

/// Followers that must acknowledge a message; 0 when nobody waits.
///
/// `waits` is what the producer said (`WAIT`); `group` is known only with `enableSlaveActingMaster`, and only such a group is
/// checked, as in Java.
///
/// # Errors
/// [`NotEnough`] before anything is stored.
pub fn needed(role: Role, options: &Replication, group: Option<Group>, waits: bool) -> Result<usize, NotEnough> {
    if role != Role::SyncMaster || !waits {
        return Ok(0);
    }
    let wanted = options.in_sync as usize;
    let Some(group) = group else { return Ok(wanted.saturating_sub(1)) };
    let live = group.alive.min(group.in_sync + 1);
    let needed = match options.auto_in_sync {
        true => wanted.min(live).max(options.min_in_sync as usize),
        false => wanted,
    };
    if needed > live {
        return Err(NotEnough { in_sync: live, needed });
    }
    Ok(needed.saturating_sub(1))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn options(in_sync: u32, min: u32, auto: bool) -> Replication {
        Replication {
            master_ha_address: None,
            heartbeat: Duration::from_secs(5),
            housekeeping: Duration::from_secs(20),
            batch_bytes: 1,
            max_gap_not_in_sync: 1,
            flow_limit: None,
            slave_timeout: Duration::from_secs(3),
            in_sync,
            min_in_sync: min,
            total: 3,
            auto_in_sync: auto,
        }
    }

    /// `group` is (alive, in sync).
    fn check(options: &Replication, group: Option<(usize, usize)>, expected: Result<usize, (usize, usize)>) {
        let known = group.map(|(alive, in_sync)| Group { alive, in_sync });
        let got = needed(Role::SyncMaster, options, known, true);
        assert_eq!(got, expected.map_err(|(in_sync, needed)| NotEnough { in_sync, needed }), "{options:?} {group:?}");
    }

    #[test]
    fn plain_sync_master_waits_and_never_refuses() {
        check(&options(1, 1, false), None, Ok(0));
        check(&options(2, 1, false), None, Ok(1));
        check(&options(3, 1, true), None, Ok(2));
    }

    #[test]
    fn an_acting_group_refuses_what_it_cannot_keep() {
        check(&options(2, 1, false), Some((3, 2)), Ok(1));
        check(&options(2, 1, false), Some((3, 0)), Err((1, 2)));
        check(&options(2, 1, false), Some((1, 2)), Err((1, 2)));
        check(&options(3, 1, true), Some((3, 1)), Ok(1));
        check(&options(3, 1, true), Some((3, 0)), Ok(0));
        check(&options(3, 2, true), Some((3, 0)), Err((1, 2)));
    }

    #[test]
    fn nobody_waits_for_an_async_master_or_an_unwilling_producer() {
        let group = Some(Group { alive: 1, in_sync: 0 });
        let options = options(3, 1, false);
        assert_eq!(needed(Role::AsyncMaster, &options, group, true), Ok(0));
        assert_eq!(needed(Role::Slave, &options, group, true), Ok(0));
        assert_eq!(needed(Role::SyncMaster, &options, group, false), Ok(0));
    }
}
