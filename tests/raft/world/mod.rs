//! The queue of happenings and what comes of each.
//!
//! ```text
//! act.rs  what the core wants done     links.rs  the log's way from leader to follower     faults.rs  writes, operators, faults, healing
//! ```

mod act;
mod faults;
mod links;

use std::collections::BTreeMap;

use mqcontainer::protocol::ids::PhysicalOffset;
use mqcontainer::raft::{Action, Event, Hard, Membership, Message, Options, Role};

use crate::bugs::Bug;
use crate::chance::Chance;
use crate::coverage::Coverage;
use crate::invariants::committed::Ledger;
use crate::invariants::election::Leaders;
use crate::invariants::matching::Seen;
use crate::invariants::members::Memberships;
use crate::invariants::votes::Votes;
use crate::invariants::whole;
use crate::log::Log;
use crate::member::{Life, Machine, id};
use crate::network::{Network, StreamId, Word};

/// Microseconds of a second.
const SECOND: i64 = 1_000_000;
/// Microseconds in which a healed group must be whole.
const HEALING: i64 = 20 * SECOND;
/// Happenings of a run; an ordinary one has some thousand.
const HAPPENINGS_MAX: u64 = 300_000;
/// Shorter than those of the product, so that a simulated second sees more elections.
const OPTIONS: Options =
    Options { heartbeat_millis: 40, election_min_millis: 200, election_max_millis: 400, transfer_millis: 150 };

/// Something that will happen. What belongs to a life does not when that life has ended.
#[derive(Clone, Debug)]
enum Happening {
    Wake {
        member: usize,
        life: u64,
    },
    Deliver {
        from: usize,
        to: usize,
        message: Message,
    },
    /// A save has ended: whether it reached the disk, and whether it says so.
    Saved {
        member: usize,
        life: u64,
        hard: Hard,
        is_kept: bool,
        is_told: bool,
    },
    /// A leader's marker is appended.
    Mark {
        member: usize,
        life: u64,
        term: i32,
    },
    Synced {
        member: usize,
        life: u64,
        end: i64,
        cuts: u64,
    },
    Tend {
        member: usize,
        life: u64,
    },
    Pass {
        stream: StreamId,
        to_leader: bool,
        word: Word,
        from: (usize, u64, i32),
        to: (usize, u64),
    },
    Gone {
        member: usize,
        life: u64,
        of: usize,
        of_life: u64,
    },
    Start {
        member: usize,
    },
    Write,
    Operate,
    Fault,
    Heal,
    Check,
}

impl Happening {
    /// Whose process must run for it.
    fn of(&self) -> Option<(usize, Option<u64>)> {
        match *self {
            Happening::Wake { member, life }
            | Happening::Mark { member, life, .. }
            | Happening::Tend { member, life }
            | Happening::Gone { member, life, .. } => Some((member, Some(life))),
            Happening::Deliver { to, .. } => Some((to, None)),
            Happening::Pass { to: (member, life), .. } => Some((member, Some(life))),
            _ => None,
        }
    }
}

pub struct World {
    bug: Option<Bug>,
    tells: bool,
    now: i64,
    queue: BTreeMap<(i64, u64), Happening>,
    number: u64,
    /// One stream of chance for each purpose.
    faults: Chance,
    disks: Chance,
    producers: Chance,
    network: Network,
    machines: Vec<Machine>,
    /// Logs are synced before anything is said of them; otherwise only processes die.
    syncs: bool,
    fails_permille: i64,
    slow_permille: i64,
    /// Microseconds from one write, fault or operator's wish to the next, at most; and which faults there are: with some of them alone others show.
    write_pause: i64,
    fault_pause: i64,
    operate_pause: i64,
    fault_kinds: Vec<u8>,
    healing_since: Option<i64>,
    tag: u64,
    /// Who was last told to stand, and in which term of its leader.
    successor: Option<(usize, i32)>,
    ledger: Ledger,
    leaders: Leaders,
    votes: Votes,
    seen: Seen,
    memberships: Memberships,
    coverage: Coverage,
}

/// One seed, from its beginning to a whole group.
pub fn run(seed: u64, bug: Option<Bug>, tells: bool) -> Result<Coverage, String> {
    let mut world = World::new(seed, bug, tells);
    let mut happened = 0;
    while let Some(((at, _), happening)) = world.queue.pop_first() {
        world.now = at;
        happened += 1;
        if happened > HAPPENINGS_MAX {
            return Err("too much happens".to_owned());
        }
        if matches!(happening, Happening::Check) {
            match world.check_whole() {
                Ok(()) => break,
                Err(reason) if at - world.healing_since.unwrap_or(at) > HEALING => return Err(reason),
                Err(_) => world.happens(100_000, Happening::Check),
            }
            continue;
        }
        world.happen(happening)?;
    }
    let leaders = world.leaders.count();
    world.coverage.met_times("leaders", leaders);
    world.coverage.met_times("writes committed", u64::try_from(world.ledger.records.len()).unwrap());
    Ok(world.coverage)
}

impl World {
    fn new(seed: u64, bug: Option<Bug>, tells: bool) -> World {
        let mut chance = Chance::new(seed);
        let voters = 1 + [0, 1, 2, 2, 2, 3, 4, 4][chance.below(8)];
        let spare = [0, 1, 2][chance.below(3)];
        let membership = Membership::first((0..voters).map(id));
        let machine = |member| {
            let membership = if member < voters { membership.clone() } else { Membership::default() };
            let hard = Hard { membership, ..Hard::default() };
            Machine {
                first: hard.clone(),
                hard,
                log: Log::default(),
                life: None,
                rate: chance.between(960, 1_041),
                base: chance.between(0, 1_000_000),
                lives: 0,
            }
        };
        let machines: Vec<Machine> = (0..voters + spare).map(machine).collect();
        let syncs = chance.permille(700);
        let fails_permille = [0, 0, 10, 100][chance.below(4)];
        let slow_permille = [0, 50, 400][chance.below(3)];
        let operate_pause = [40_000, 200_000, 1_000_000][chance.below(3)];
        let write_pause = [4_000, 15_000, 60_000, 300_000][chance.below(4)];
        let fault_pause = [40_000, 300_000, 1_000_000][chance.below(3)];
        let fault_kinds = match chance.permille(300) {
            true => (0..11).collect(),
            false => (0..11).filter(|kind| *kind == 7 || chance.permille(350)).collect(),
        };
        let stream = |salt: u64| Chance::new(seed.wrapping_mul(31).wrapping_add(salt));
        let mut world = World {
            bug,
            tells,
            now: 0,
            queue: BTreeMap::new(),
            number: 0,
            faults: stream(1),
            disks: stream(2),
            producers: stream(3),
            network: Network::new(stream(4)),
            machines,
            syncs,
            fails_permille,
            slow_permille,
            operate_pause,
            write_pause,
            fault_pause,
            fault_kinds,
            healing_since: None,
            tag: 0,
            successor: None,
            ledger: Ledger::default(),
            leaders: Leaders::default(),
            votes: Votes::default(),
            seen: Seen::default(),
            memberships: Memberships::default(),
            coverage: Coverage::default(),
        };
        world.tell(|| format!("{voters} voters, {spare} spare, syncs: {syncs}, {:?}", "begin"));
        for member in 0..voters + spare {
            let pause = world.faults.between(0, 50_000);
            world.happens(pause, Happening::Start { member });
        }
        let end = world.faults.between(SECOND, 6 * SECOND);
        world.happens(5_000, Happening::Write);
        world.happens(300_000, Happening::Fault);
        world.happens(400_000, Happening::Operate);
        world.happens(end, Happening::Heal);
        world
    }

    fn tell(&self, story: impl FnOnce() -> String) {
        if self.tells {
            println!("{:>10} us  {}", self.now, story());
        }
    }

    fn happens(&mut self, after: i64, happening: Happening) {
        self.number += 1;
        self.queue.insert((self.now + after, self.number), happening);
    }

    fn living(&self, member: usize) -> Option<&Life> {
        self.machines[member].life.as_ref()
    }

    fn happen(&mut self, happening: Happening) -> Result<(), String> {
        if let Some((member, life)) = happening.of() {
            let Some(living) = self.living(member) else { return Ok(()) };
            if life.is_some_and(|life| life != living.number) {
                return Ok(());
            }
            if living.stopped_until > self.now {
                let pause = living.stopped_until - self.now;
                self.happens(pause, happening);
                return Ok(());
            }
        }
        match happening {
            Happening::Wake { member, life: _ } => self.wake(member),
            Happening::Deliver { from, to, message } => self.deliver(from, to, message),
            Happening::Saved { member, life, hard, is_kept, is_told } => {
                self.saved(member, life, hard, (is_kept, is_told))
            }
            Happening::Mark { member, life: _, term } => self.mark(member, term),
            Happening::Synced { member, life, end, cuts } => self.synced(member, life, end, cuts),
            Happening::Tend { member, life: _ } => self.tend(member),
            Happening::Pass { stream, to_leader, word, from, to } => self.passed(stream, to_leader, word, from, to.0),
            Happening::Gone { member, life: _, of, of_life } => self.gone(member, of, of_life),
            Happening::Start { member } => self.start(member),
            Happening::Write => self.write(),
            Happening::Operate => self.operate(),
            Happening::Fault => self.fault(),
            Happening::Heal => self.heal(),
            Happening::Check => Ok(()),
        }
    }

    /// Hands an event to a core, and does what it wants.
    fn event(&mut self, member: usize, event: Event) -> Result<(), String> {
        self.turn(member, Some(event))
    }

    fn wake(&mut self, member: usize) -> Result<(), String> {
        if let Some(life) = &mut self.machines[member].life {
            life.wakes = None;
        }
        self.turn(member, None)
    }

    fn turn(&mut self, member: usize, event: Option<Event>) -> Result<(), String> {
        let machine = &mut self.machines[member];
        let (local, mut log) = (machine.local(self.now), machine.log.log_end());
        let Some(life) = &mut machine.life else { return Ok(()) };
        let is_asked =
            matches!(&event, Some(Event::Message { message: Message::Vote { .. } | Message::PreVote { .. }, .. }));
        if self.bug == Some(Bug::VoteUncompared) && is_asked {
            log = mqcontainer::raft::LogEnd::default();
        }
        let before = (life.raft.role(), life.raft.term(), life.raft.successor());
        let mut actions = Vec::new();
        match event {
            Some(event) => life.raft.handle(local, event, log, &mut actions),
            None => life.raft.upkeep(local, log, &mut actions),
        }
        let after = (life.raft.role(), life.raft.term());
        let gives_up = life.raft.successor().is_none() && before.2.is_some();
        match after {
            (Role::Follower, term) if before.0 == Role::Leader && term == before.1 && before.2.is_none() => {
                self.coverage.met("stopped without a majority");
            }
            (Role::Leader, _) if gives_up => self.coverage.met("transfers given up"),
            _ => {}
        }
        for action in actions {
            self.act(member, action)?;
        }
        self.plan_wake(member);
        Ok(())
    }

    /// A core wakes when it wants to; one alarm at a time.
    fn plan_wake(&mut self, member: usize) {
        let machine = &mut self.machines[member];
        let Some(life) = &machine.life else { return };
        let (number, deadline) = (life.number, life.raft.next_deadline());
        if deadline.0 >= i64::MAX / 4 {
            return;
        }
        let at = machine.real(deadline).max(self.now + 1);
        let Some(life) = &mut machine.life else { return };
        if life.wakes.is_none_or(|wakes| wakes > at) {
            life.wakes = Some(at);
            self.happens(at - self.now, Happening::Wake { member, life: number });
        }
    }

    fn position(end: i64) -> PhysicalOffset {
        PhysicalOffset(end)
    }

    fn check_whole(&self) -> Result<(), String> {
        let standing = |machine: &Machine| {
            let life = machine.life.as_ref()?;
            Some(whole::Standing {
                term: life.raft.term().0,
                chain: machine.log.records.last().map_or(0, |record| record.chain),
                end: machine.log.end(),
                committed: life.raft.committed().0,
                membership: life.raft.membership().id,
            })
        };
        let writes = |machine: &&Machine| {
            machine.life.as_ref().is_some_and(|life| life.raft.may_accept_writes(machine.local(self.now)))
        };
        let Some(leader) = self.machines.iter().find(writes) else { return whole::check(None, &[]) };
        let Some(life) = &leader.life else { return whole::check(None, &[]) };
        let members = life.raft.membership().members().map(crate::member::index);
        let members: Option<Vec<_>> = members.map(|member| standing(&self.machines[member])).collect();
        whole::check(standing(leader), &members.ok_or("a member does not live")?)
    }
}

/// Not a decision of the core's: `Action` in words, for the story of one seed.
fn in_words(action: &Action) -> Option<String> {
    match action {
        Action::Send { .. } => None,
        other => Some(format!("{other:?}")),
    }
}
