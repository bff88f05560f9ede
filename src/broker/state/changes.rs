//! How often a table has changed, and whether its file knows.

/// Counts the changes of a table; the count starts anew with the process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    count: u64,
    saved: u64,
}

impl Changes {
    /// The table has changed.
    pub fn mark(&mut self) {
        self.count += 1;
    }

    /// The table has changed, or has not.
    pub fn mark_if(&mut self, changed: bool) {
        self.count += u64::from(changed);
    }

    /// Whether something changed since the last [`Changes::saving`].
    #[must_use]
    pub fn is_dirty(self) -> bool {
        self.count != self.saved
    }

    /// The table is about to be written; later changes make it dirty again.
    pub fn saving(&mut self) {
        self.saved = self.count;
    }

    /// Changes so far.
    #[must_use]
    pub fn count(self) -> u64 {
        self.count
    }
}
