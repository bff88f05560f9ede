//! The queue of events and what happens at each.
//!
//! ```text
//! faults.rs  load, crashes, starts     links.rs  what the tasks of links do     group.rs  NameServer, calls between members, who leads
//! ```

mod faults;
mod group;
mod links;

use std::collections::BTreeMap;

use bytes::Bytes;
use mqcontainer::broker::Presence;
use mqcontainer::broker::event::Event;
use mqcontainer::config::FlushDiskType;
use mqcontainer::env::{Disk, OpenMode};
use mqcontainer::protocol::command::Command;
use mqcontainer::protocol::ha::{Dialect, Head, Welcome};
use mqcontainer::protocol::ids::{Millis, PhysicalOffset};
use mqcontainer::replication::Incoming;
use mqcontainer::replication::follower;
use mqcontainer::replication::progress::SessionId;
use mqcontainer::replication::sender::{self, Sender};
use mqcontainer::store::{Job, Patience};

use crate::bugs::Bug;
use crate::disk::{Chance, Crash, SimDisk};
use crate::invariants::{acknowledged, admitted, converged, epochs, kept, prefix, replicated, survived};
use crate::load::Load;
use crate::member::{FileWrite, Member, Outcome, config};
use crate::network::{LinkId, Message, Network, Way};

/// When every run begins.
const BEGIN: i64 = 1_700_000_000_000;
/// The leader is the first member.
const LEADER: usize = 0;
/// Events of a run; an ordinary one has some ten thousand.
const HAPPENINGS_MAX: u64 = 500_000;
/// Simulated milliseconds in which everything must be whole again.
const HEALING: i64 = 90_000;

/// Something that will happen to a life of a member; nothing when it has died by then.
enum Happening {
    Wake {
        member: usize,
        life: u64,
    },
    Job {
        member: usize,
        life: u64,
        job: Box<Job>,
    },
    File {
        member: usize,
        life: u64,
        write: FileWrite,
    },
    Arrive {
        link: LinkId,
        way: Way,
        message: Message,
    },
    /// The task of a link tells its broker something.
    Linked {
        member: usize,
        life: u64,
        news: Incoming,
    },
    /// The NameServer says who is in the group.
    Named,
    /// A request of another member comes.
    Asked {
        call: u64,
        to: usize,
        command: Command,
    },
    /// Its answer comes, or none.
    Called {
        call: u64,
        answer: Result<Command, String>,
    },
    Start {
        member: usize,
    },
    Produce,
    Fault,
    Heal,
}

/// What a run saw, so that a range of seeds shows what it covered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Coverage {
    pub acknowledged: u64,
    pub power_failures: u64,
    pub process_crashes: u64,
    pub cuts_of_ways: u64,
    pub cuts_of_logs: u64,
    pub restarts: u64,
    pub links: u64,
    /// Masters that led after joining; those that had fetched something; followers that came before.
    pub led: u64,
    pub fetched: u64,
    pub turned_away: u64,
}

impl Coverage {
    pub fn add(&mut self, other: Coverage) {
        self.acknowledged += other.acknowledged;
        self.power_failures += other.power_failures;
        self.process_crashes += other.process_crashes;
        self.cuts_of_ways += other.cuts_of_ways;
        self.cuts_of_logs += other.cuts_of_logs;
        self.restarts += other.restarts;
        self.links += other.links;
        self.led += other.led;
        self.fetched += other.fetched;
        self.turned_away += other.turned_away;
    }

    /// A range of seeds that never met one of these proves little.
    pub fn check_nothing_is_missing(&self) {
        let faults = [self.power_failures, self.process_crashes, self.cuts_of_ways, self.cuts_of_logs];
        let joining = [self.led, self.fetched, self.turned_away];
        assert!(self.acknowledged > 0 && faults.into_iter().chain(joining).all(|count| count > 0), "{self:?}");
    }
}

pub struct World {
    now: i64,
    tells: bool,
    queue: BTreeMap<(i64, u64), Happening>,
    number: u64,
    happened: u64,
    faults: Chance,
    traffic: Chance,
    pool: Chance,
    producers: Chance,
    disks: Vec<SimDisk>,
    members: Vec<Member>,
    network: Network,
    load: Load,
    /// What each member had at most, as safe as its flush mode promises.
    held: Vec<i64>,
    /// The end of the last message the leader must keep.
    promised: i64,
    epochs: Vec<i32>,
    needed: usize,
    /// Whether the brokers join their group before they take part.
    joins: bool,
    group: group::Group,
    healing: bool,
    bug: Option<Bug>,
    pub coverage: Coverage,
}

/// How the brokers of a run begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Beginning {
    /// As the seed says.
    Drawn,
    /// The master leads from its first moment.
    AtOnce,
    /// They join their group.
    Joining,
}

/// One seed, from the beginning to the end of phase two.
pub fn run(seed: u64, beginning: Beginning, bug: Option<Bug>) -> Result<Coverage, String> {
    let mut world = World::new(seed, beginning, bug);
    world.phases()?;
    Ok(world.coverage)
}

impl World {
    fn new(seed: u64, beginning: Beginning, bug: Option<Bug>) -> World {
        let mut chance = Chance::new(seed);
        let followers = 1 + chance.below(2);
        let in_sync = 1 + chance.below(followers + 1).max(u64::from(chance.percent(80)));
        let beside = chance.percent(25);
        let mut flush = || if chance.percent(60) { "SYNC_FLUSH" } else { "ASYNC_FLUSH" };
        let flushes: Vec<&str> = (0..=followers).map(|_| flush()).collect();
        let node = |id: u64| if id == 1 && beside { 0 } else { usize::try_from(id).unwrap() };
        let [faults, traffic, pool, producers] = [(); 4].map(|()| Chance::new(chance.next()));
        let disks = flushes.iter().map(|_| SimDisk::new(chance.next())).collect();
        // Drawn last, and from a stream of its own: the runs of a group that does not join are as they were before.
        let drawn = chance.percent(40);
        let joins = match beginning {
            Beginning::Drawn => drawn && bug.is_none_or(Bug::is_of_joining),
            beginning => beginning == Beginning::Joining,
        };
        let group = format!("totalReplicas = {}\ninSyncReplicas = {in_sync}", followers + 1);
        let acting = if joins { "\nenableSlaveActingMaster = true\nslaveReadEnable = true" } else { "" };
        let member = |(id, flush): (u64, &&str)| {
            let role = if id == 0 { "SYNC_MASTER" } else { "SLAVE" };
            let lines = format!("brokerRole = \"{role}\"\nflushDiskType = \"{flush}\"\n{group}{acting}");
            Member { config: config(id, &lines), node: node(id), life: None, lives: 0, wakes: None }
        };
        let members: Vec<Member> = (0..).zip(&flushes).map(member).collect();
        World {
            now: BEGIN,
            tells: std::env::var("SIM_SEED").is_ok(),
            queue: BTreeMap::new(),
            number: 0,
            happened: 0,
            faults,
            traffic,
            pool,
            producers,
            disks,
            held: vec![0; members.len()],
            group: group::Group::new(members.len(), Chance::new(chance.next())),
            members,
            network: Network::default(),
            load: Load::default(),
            promised: 0,
            epochs: Vec::new(),
            needed: usize::try_from(in_sync - 1).unwrap(),
            joins,
            healing: false,
            bug,
            coverage: Coverage::default(),
        }
    }

    fn phases(&mut self) -> Result<(), String> {
        for member in 0..self.members.len() {
            self.happens(0, Happening::Start { member });
        }
        if self.joins {
            self.happens(0, Happening::Named);
        }
        self.happens(10, Happening::Produce);
        self.happens(500, Happening::Fault);
        let until = self.now + 3_000 + i64::try_from(self.faults.below(12_000)).unwrap();
        self.run_until(until)?;
        self.healing = true;
        self.happens(0, Happening::Heal);
        self.run_until(self.now + HEALING)?;
        self.check_whole()
    }

    fn happens(&mut self, after: i64, what: Happening) {
        self.number += 1;
        self.queue.insert((self.now + after.max(0), self.number), what);
    }

    fn run_until(&mut self, until: i64) -> Result<(), String> {
        while let Some(((at, _), what)) = self.queue.pop_first() {
            if at > until {
                self.number += 1;
                self.queue.insert((at, self.number), what);
                break;
            }
            self.now = self.now.max(at);
            self.happened += 1;
            if self.happened > HAPPENINGS_MAX {
                return Err(format!("{HAPPENINGS_MAX} events and no end: something turns in a circle"));
            }
            self.disks.iter().for_each(|disk| disk.set_now(self.now));
            self.happen(what)?;
        }
        self.now = until;
        Ok(())
    }

    fn happen(&mut self, what: Happening) -> Result<(), String> {
        match what {
            Happening::Wake { member, life } => {
                if self.members[member].wakes != Some(self.now) || !self.lives(member, life) {
                    return Ok(());
                }
                self.members[member].wakes = None;
                self.with(member, life, |_, _, _, _| {})
            }
            Happening::Job { member, life, job } => {
                let disk = self.disks[self.members[member].node].clone();
                if !self.lives(member, life) {
                    return Ok(());
                }
                let done = job.run(&disk);
                self.with(member, life, |living, now, config, outcome| living.job_done(now, done, config, outcome))
            }
            Happening::File { member, life, write } => self.write_file(member, life, &write),
            Happening::Arrive { link, way, message } => self.arrive(link, way, message),
            Happening::Linked { member, life, news } => self.with(member, life, |living, now, config, outcome| {
                living.event(now, Event::Replication(news), config, outcome);
            }),
            Happening::Named => self.name_members(),
            Happening::Asked { call, to, command } => self.asked(call, to, command),
            Happening::Called { call, answer } => self.called(call, answer),
            Happening::Start { member } => self.start(member),
            Happening::Produce => self.produce(),
            Happening::Fault => self.fault(),
            Happening::Heal => {
                self.heal();
                Ok(())
            }
        }
    }

    /// A line of the run's story, when somebody wants to read it.
    fn tell(&self, line: impl FnOnce() -> String) {
        if self.tells {
            println!("{:>9} {}", self.now - BEGIN, line());
        }
    }

    fn now(&self) -> Millis {
        Millis(self.now)
    }

    fn lives(&self, member: usize, life: u64) -> bool {
        self.members[member].life.as_ref().is_some_and(|living| living.number == life)
    }

    /// Does something with a member that lives, and what follows from it.
    fn with(
        &mut self,
        member: usize,
        life: u64,
        act: impl FnOnce(&mut crate::member::Life, Millis, &mqcontainer::config::Broker, &mut Outcome),
    ) -> Result<(), String> {
        if !self.lives(member, life) {
            return Ok(());
        }
        let (now, mut outcome) = (self.now(), Outcome::default());
        let Member { config, life: living, .. } = &mut self.members[member];
        let Some(living) = living else { return Ok(()) };
        act(living, now, config, &mut outcome);
        living.settle(now, Vec::new(), &mut outcome, config);
        self.follow_up(member, outcome)
    }

    /// Jobs, files and answers of a turn go their ways; then the member's links move.
    fn follow_up(&mut self, member: usize, outcome: Outcome) -> Result<(), String> {
        let Some(living) = &self.members[member].life else { return Ok(()) };
        let life = living.number;
        let honest = living.core.log_state(&living.store, 0).durable.0;
        self.held[member] = self.held[member].max(honest);
        self.look_who_leads(member)?;
        for job in outcome.jobs {
            let delay = if self.pool.percent(10) { self.pool.below(300) } else { self.pool.below(10) };
            let job = Box::new(job);
            self.happens(i64::try_from(delay).unwrap(), Happening::Job { member, life, job });
        }
        for write in outcome.files {
            let delay = i64::try_from(self.pool.below(20)).unwrap();
            self.happens(delay, Happening::File { member, life, write });
        }
        for call in outcome.calls {
            self.call(member, life, call);
        }
        for (to, answer) in outcome.replies {
            let asked = self.members[member].life.as_mut().and_then(|living| living.asked.remove(&to));
            if let Some(call) = asked {
                self.answer_call(member, call, answer);
                continue;
            }
            self.answered(to.0, &answer)?;
            if self.bug == Some(Bug::AnswerTwice) && self.traffic.percent(2) {
                self.answered(to.0, &answer)?;
            }
        }
        if outcome.failed.is_some() {
            self.die(member);
            let pause = i64::try_from(self.faults.below(1_000)).unwrap();
            self.happens(pause, Happening::Start { member });
            return Ok(());
        }
        let wake = self.move_links(member)?;
        let Some(living) = &self.members[member].life else { return Ok(()) };
        let deadline = living.deadline().0.min(wake).max(self.now + 1);
        if self.members[member].wakes.is_none_or(|wakes| wakes > deadline) {
            self.members[member].wakes = Some(deadline);
            self.happens(deadline - self.now, Happening::Wake { member, life });
        }
        Ok(())
    }

    fn answered(&mut self, request: u64, answer: &Command) -> Result<(), String> {
        let Some(message) = self.load.answered(request, answer)? else { return Ok(()) };
        let Some(living) = &self.members[LEADER].life else { return Ok(()) };
        let record = living.store.view().record_at(PhysicalOffset(message.physical), Patience::MayBlock);
        let record = record.ok().flatten().ok_or(format!("no record at {}", message.physical))?;
        let end = message.physical + i64::try_from(record.len()).unwrap();
        if self.members[LEADER].config.store.flush.disk == FlushDiskType::Sync {
            acknowledged::check(living.store.flushed().0, end)?;
        }
        replicated::check(end, self.needed, &self.held[1..])?;
        self.promised = self.promised.max(end);
        self.coverage.acknowledged += 1;
        Ok(())
    }

    fn write_file(&mut self, member: usize, life: u64, write: &FileWrite) -> Result<(), String> {
        let disk = self.disks[self.members[member].node].clone();
        if !self.lives(member, life) {
            return Ok(());
        }
        let result = disk.replace(&write.path, &write.content, Some(&write.path.with_extension("bak")));
        let result = result.map_err(|error| error.to_string());
        self.with(member, life, |living, now, config, outcome| {
            let event = match write.file {
                Some(file) => Event::Persisted { file, result },
                None => Event::EpochsSaved { result },
            };
            living.event(now, event, config, outcome);
        })
    }

    fn check_whole(&self) -> Result<(), String> {
        self.load.answers.check_none_waits()?;
        let ends: Option<Vec<i64>> =
            self.members.iter().map(|member| member.life.as_ref().map(|living| living.store.written().0)).collect();
        let ends = ends.ok_or("a broker does not live")?;
        converged::check(ends[LEADER], &ends[1..])?;
        let joining =
            |member: &&Member| member.life.as_ref().is_some_and(|living| living.core.presence() != Presence::Online);
        converged::check_none_joins(self.members.iter().filter(joining).count())?;
        for member in 1..self.members.len() {
            let segment = i64::try_from(self.members[LEADER].config.store.commit_log_file_bytes).unwrap();
            for base in (0..ends[LEADER]).step_by(usize::try_from(segment).unwrap()) {
                let end = (base + segment).min(ends[LEADER]);
                self.compare(LEADER, member, PhysicalOffset(base), PhysicalOffset(end))?;
            }
        }
        let Some(leader) = &self.members[LEADER].life else { return Ok(()) };
        for message in &self.load.acknowledged {
            let record = leader.store.view().record_at(PhysicalOffset(message.physical), Patience::MayBlock);
            let record = record.ok().flatten().ok_or(format!("the message at {} is gone", message.physical))?;
            if !record.windows(message.body.len()).any(|window| window == message.body) {
                return Err(format!("the message at {} has another body", message.physical));
            }
        }
        Ok(())
    }
}
