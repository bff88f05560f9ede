//! Load, and what goes wrong.

use super::*;

impl World {
    pub(super) fn produce(&mut self) -> Result<(), String> {
        if self.healing {
            return Ok(());
        }
        let pause = 1 + i64::try_from(self.producers.below(80)).unwrap();
        self.happens(pause, Happening::Produce);
        let now = self.now();
        let Member { config, life, .. } = &mut self.members[LEADER];
        let Some(living) = life else { return Ok(()) };
        let mut outcome = Outcome::default();
        for _ in 0..1 + self.producers.below(3) {
            let (command, body) = self.load.message(now.0, &mut self.producers);
            self.load.asked(living.requests, body);
            living.request(now, command, config, &mut outcome);
        }
        self.follow_up(LEADER, outcome)
    }

    pub(super) fn fault(&mut self) -> Result<(), String> {
        if self.healing {
            return Ok(());
        }
        let pause = 200 + i64::try_from(self.faults.below(2_500)).unwrap();
        self.happens(pause, Happening::Fault);
        let member = usize::try_from(self.faults.below(self.members.len() as u64)).unwrap();
        let node = self.members[member].node;
        match self.faults.below(10) {
            0..=2 => self.crash_node(node),
            3 => {
                // One broker dies, its neighbours go on.
                self.die(member);
                let pause = i64::try_from(self.faults.below(2_000)).unwrap();
                self.happens(pause, Happening::Start { member });
            }
            4 | 5 => {
                let other = self.members[usize::try_from(self.faults.below(self.members.len() as u64)).unwrap()].node;
                self.network.cut(node, other);
                if self.faults.percent(60) {
                    self.network.cut(other, node);
                }
                self.coverage.cuts_of_ways += 1;
                let pause = i64::try_from(self.faults.below(6_000)).unwrap();
                self.happens(pause, Happening::Heal);
            }
            6 | 7 => {
                for link in self.network.links.keys().copied().collect::<Vec<_>>() {
                    if self.faults.percent(50) {
                        self.break_link(link);
                    }
                }
            }
            8 => self.disks[node].fail_syncs(1),
            _ => {}
        }
        Ok(())
    }

    pub(super) fn crash_node(&mut self, node: usize) {
        let power = self.faults.percent(60);
        if power {
            self.coverage.power_failures += 1;
        } else {
            self.coverage.process_crashes += 1;
        }
        let pause = i64::try_from(self.faults.below(3_000)).unwrap();
        for member in 0..self.members.len() {
            if self.members[member].node != node {
                continue;
            }
            self.die(member);
            self.happens(pause, Happening::Start { member });
            let asynchronous = self.members[member].config.store.flush.disk == FlushDiskType::Async;
            if power && member == LEADER && asynchronous {
                self.promised = 0;
            }
        }
        self.tell(|| format!("machine {node} dies, with its page cache: {power}"));
        self.disks[node].crash(if power { Crash::Power } else { Crash::Process });
    }

    /// A broker is gone from one moment to the next.
    pub(super) fn die(&mut self, member: usize) {
        if self.members[member].life.take().is_none() {
            return;
        }
        self.members[member].wakes = None;
        if member == LEADER {
            self.load.died();
        }
        self.unlist(member);
        for (id, link) in self.network.links.clone() {
            if link.follower == member || link.leader == member {
                self.break_link(id);
            }
        }
    }

    pub(super) fn start(&mut self, member: usize) -> Result<(), String> {
        if self.members[member].life.is_some() {
            return Ok(());
        }
        self.coverage.restarts += 1;
        let node = self.members[member].node;
        let disk = self.disks[node].clone();
        if member == LEADER && self.members[member].lives > 0 {
            self.plant_before_start(&disk);
        }
        let (now, seed) = (self.now(), self.pool.next());
        let outcome = match self.members[member].start(&disk, now, seed, self.bug) {
            Ok(outcome) => outcome,
            // A disk that fails while the store opens: again, as the supervisor would.
            Err(error) => {
                self.tell(|| format!("{member} does not start: {error}"));
                self.happens(500, Happening::Start { member });
                return Ok(());
            }
        };
        if let Some(living) = &self.members[member].life {
            self.tell(|| format!("{member} starts: {} {:?}", living.store.written(), living.log.epochs.list()));
        }
        if member == LEADER
            && let Some(living) = &self.members[member].life
        {
            acknowledged::check(living.store.written().0, self.promised)?;
        }
        self.begin_part(member);
        self.follow_up(member, outcome)
    }

    pub(super) fn plant_before_start(&mut self, disk: &SimDisk) {
        let broker = std::sync::Arc::clone(&self.members[LEADER].config);
        let last = self.load.acknowledged.last().map_or(0, |message| message.physical);
        let segment = i64::try_from(broker.store.commit_log_file_bytes).unwrap();
        let path = broker.store.commit_log.join(format!("{:020}", last - last % segment));
        let within = u64::try_from(last % segment).unwrap();
        match self.bug {
            Some(Bug::StopRecoveryEarly) if last > 0 => disk.flip_bit(&path, usize::try_from(within).unwrap() + 4, 3),
            Some(Bug::LyingDisk) if last > 0 => {
                let file = disk.open(&path, OpenMode::Existing).unwrap();
                file.zero(within, 64).unwrap();
            }
            Some(Bug::ReuseEpoch) => {
                let path = broker.store.epoch_file();
                let text = String::from_utf8(disk.read(&path).unwrap()).unwrap();
                let lines: Vec<&str> = text.lines().skip(2).collect();
                let kept = &lines[..lines.len() - 1];
                let content = format!("{}\n0\n{}\n", kept.len(), kept.join("\n"));
                disk.replace(&path, content.trim_end().as_bytes(), None).unwrap();
            }
            _ => {}
        }
    }

    pub(super) fn heal(&mut self) {
        for (link, way, message) in self.network.heal() {
            self.send(link, way, message);
        }
        if self.healing {
            for member in 0..self.members.len() {
                self.happens(0, Happening::Start { member });
            }
        }
    }
}
