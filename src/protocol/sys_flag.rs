//! Bits of the several "sysFlag" numbers (`MessageSysFlag`, `PullSysFlag`, `TopicSysFlag`, `PermName`).

/// Message: the body is compressed.
pub const COMPRESSED: i32 = 0x1;
/// Message: several tags.
pub const MULTI_TAGS: i32 = 0x2;
/// Message: the two transaction bits.
pub const TRANSACTION_MASK: i32 = 0xC;
/// Message of no transaction.
pub const TRANSACTION_NONE: i32 = 0x0;
/// Message prepared in a transaction.
pub const TRANSACTION_PREPARED: i32 = 0x4;
/// Message committed by a transaction.
pub const TRANSACTION_COMMIT: i32 = 0x8;
/// Message rolled back by a transaction.
pub const TRANSACTION_ROLLBACK: i32 = 0xC;
/// Message: BORNHOST is an IPv6 address.
pub const BORN_HOST_V6: i32 = 0x10;
/// Message: STOREHOST is an IPv6 address.
pub const STORE_HOST_V6: i32 = 0x20;
/// Message: the body is a batch to unwrap.
pub const NEED_UNWRAP: i32 = 0x40;
/// Message: one record that holds a batch.
pub const INNER_BATCH: i32 = 0x80;
/// Message: the three bits of the compression type: 0 and 3 zlib, 1 LZ4 frame, 2 zstd.
pub const COMPRESSION_TYPE_MASK: i32 = 0x700;

/// The transaction bits of a message.
#[must_use]
pub fn transaction(sys_flag: i32) -> i32 {
    sys_flag & TRANSACTION_MASK
}

/// `sys_flag` with other transaction bits.
#[must_use]
pub fn with_transaction(sys_flag: i32, transaction: i32) -> i32 {
    sys_flag & !TRANSACTION_MASK | transaction & TRANSACTION_MASK
}

/// Bits of a pull's `sysFlag`.
pub mod pull {
    /// `commitOffset` is to be kept.
    pub const COMMIT_OFFSET: i32 = 0x1;
    /// The broker may hold the request.
    pub const SUSPEND: i32 = 0x2;
    /// The header carries the subscription.
    pub const SUBSCRIPTION: i32 = 0x4;
    /// Filtered by a class; no longer served.
    pub const CLASS_FILTER: i32 = 0x8;
    /// A lite pull: sent as 361.
    pub const LITE_PULL: i32 = 0x10;
}

/// Bits of a topic's `topicSysFlag`.
pub mod topic {
    /// Unit topic.
    pub const UNIT: i32 = 0x1;
    /// Subscribed from other units.
    pub const UNIT_SUB: i32 = 0x2;
}

/// Bits of a topic's or broker's permission.
pub mod perm {
    /// New topics may inherit from this one.
    pub const INHERIT: i32 = 0x1;
    /// Messages may be sent.
    pub const WRITE: i32 = 0x2;
    /// Messages may be read.
    pub const READ: i32 = 0x4;
    /// Preferred queue.
    pub const PRIORITY: i32 = 0x8;

    /// Whether messages may be read.
    #[must_use]
    pub fn is_readable(perm: i32) -> bool {
        perm & READ != 0
    }

    /// Whether messages may be sent.
    #[must_use]
    pub fn is_writable(perm: i32) -> bool {
        perm & WRITE != 0
    }

    /// Whether new topics may inherit.
    #[must_use]
    pub fn is_inheritable(perm: i32) -> bool {
        perm & INHERIT != 0
    }

    /// Whether `mqadmin` may set it (`PermName.isValid`): 0 to 15.
    #[must_use]
    pub fn is_valid(perm: i32) -> bool {
        (0..16).contains(&perm)
    }
}
