//! The epochs of a broker's log and whether they are on disk (`epochFileCheckpoint`).
//!
//! Invariant: bytes of an epoch are neither acknowledged to a leader nor sent to a follower as this log's before the
//! epoch is on disk; after a crash nobody could say whose they are.

use std::sync::Arc;

use crate::protocol::ha::Epoch;
use crate::protocol::ids::PhysicalOffset;
use crate::replication::epochs::Epochs;

/// The epochs of one log.
#[derive(Clone, Debug, Default)]
pub struct Lineage {
    epochs: Arc<Epochs>,
    saved: Arc<Epochs>,
    writing: Option<Arc<Epochs>>,
}

impl Lineage {
    /// Epochs as the file has them.
    #[must_use]
    pub fn new(saved: Epochs) -> Lineage {
        let saved = Arc::new(saved);
        Lineage { epochs: Arc::clone(&saved), saved, writing: None }
    }

    /// The epochs.
    #[must_use]
    pub fn epochs(&self) -> &Arc<Epochs> {
        &self.epochs
    }

    /// Bytes of this epoch come next; 0 stands for a Java leader, who does not say.
    pub fn continue_with(&mut self, number: i32, at: PhysicalOffset) {
        let newest = self.epochs.newest();
        if number == 0 {
            // What is behind an epoch is not proved by it any more; as in Java it will be believed.
            if newest.is_some() {
                self.epochs = Arc::default();
            }
        } else if newest.is_none_or(|newest| newest.number < number) {
            Arc::make_mut(&mut self.epochs).begin(Epoch { number, start: at });
        }
    }

    /// The log was cut back.
    pub fn cut(&mut self, end: PhysicalOffset) {
        if self.epochs.newest().is_some_and(|newest| newest.start >= end) {
            Arc::make_mut(&mut self.epochs).cut(end);
        }
    }

    /// Up to where the log's epochs are on disk.
    #[must_use]
    pub fn durable(&self) -> PhysicalOffset {
        let unsaved = self.epochs.list().iter().find(|epoch| !self.saved.list().contains(epoch));
        unsaved.map_or(PhysicalOffset(i64::MAX), |epoch| epoch.start)
    }

    /// What to write now, if anything; one write at a time.
    pub fn take_unsaved(&mut self) -> Option<String> {
        if self.writing.is_some() || self.epochs == self.saved {
            return None;
        }
        self.writing = Some(Arc::clone(&self.epochs));
        Some(self.epochs.to_file())
    }

    /// The write has ended.
    pub fn written(&mut self, ok: bool) {
        let written = self.writing.take();
        if let Some(written) = written.filter(|_| ok) {
            self.saved = written;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(lineage: &mut Lineage, durable: i64, file: Option<&str>) {
        assert_eq!(lineage.durable(), PhysicalOffset(durable));
        let lines = lineage.take_unsaved().map(|text| text.lines().skip(2).collect::<Vec<_>>().join(" "));
        assert_eq!(lines.as_deref(), file);
    }

    #[test]
    fn an_epoch_counts_once_it_is_on_disk() {
        let mut lineage = Lineage::default();
        check(&mut lineage, i64::MAX, None);
        lineage.continue_with(1, PhysicalOffset(0));
        check(&mut lineage, 0, Some("1-0"));
        lineage.continue_with(1, PhysicalOffset(50));
        lineage.continue_with(3, PhysicalOffset(100));
        check(&mut lineage, 0, None);
        lineage.written(true);
        check(&mut lineage, 100, Some("1-0 3-100"));
        lineage.written(false);
        check(&mut lineage, 100, Some("1-0 3-100"));
        lineage.written(true);
        check(&mut lineage, i64::MAX, None);
        lineage.cut(PhysicalOffset(100));
        check(&mut lineage, i64::MAX, Some("1-0"));
        lineage.continue_with(4, PhysicalOffset(80));
        lineage.written(true);
        check(&mut lineage, 80, Some("1-0 4-80"));
    }

    #[test]
    fn a_java_leader_leaves_no_epochs() {
        let mut lineage = Lineage::new(Epochs::new([Epoch { number: 2, start: PhysicalOffset(7) }]));
        lineage.continue_with(0, PhysicalOffset(90));
        check(&mut lineage, i64::MAX, Some(""));
    }
}
