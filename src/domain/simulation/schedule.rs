//! One schedule: rounds of clients under faults, then quiescence, then the end of all transfers.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use super::clients::Clients;
use super::executor::{Executor, TaskFuture, TaskStep};
use super::judge::Subject;
use super::plan::{FaultRates, SchedulePlan};
use super::server::{RETAIN, RETAIN_READS, SimulatedServer};
use super::world::{FaultCounts, MAX_SKEW, World};
use crate::domain::audit::{Flusher, Retention};
use crate::domain::crypto::random::seeded::{SplitMix64, with_seed};
use crate::domain::store::open_header;

/// Most steps of a round; more mean that the servers make no progress.
const MAX_STEPS: u64 = 50_000;
/// Most time that passes within a round: requests are far from so old that others take over their work.
const MAX_ROUND: Duration = Duration::from_mins(15);

/// Result of a schedule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ScheduleResult {
    pub(super) counts: FaultCounts,
    /// Digest of all steps, times and writes.
    pub(super) digest: u64,
    pub(super) violation: Option<String>,
    pub(super) trace: Option<String>,
}

/// Runs the schedule of `seed`.
pub(super) fn run(seed: u64, traces: bool) -> ScheduleResult {
    let mut random = SplitMix64::new(seed);
    let _seeded = with_seed(random.next());
    let plan = SchedulePlan::choose(&mut random);
    let world = World::new(plan, random.next(), traces);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    let runtime = runtime.expect("a runtime without I/O");
    let schedule = Schedule::new(world.clone(), &mut random);
    runtime.block_on(tokio::task::unconstrained(schedule.run()));
    drop(runtime);
    let (trace, digest) = world.finish();
    let state = world.state();
    ScheduleResult { counts: state.counts, digest, violation: state.violation.clone(), trace }
}

struct Schedule {
    world: Arc<World>,
    executor: Executor,
    clients: Rc<Clients>,
    flushers: Vec<Flusher>,
    random: SplitMix64,
}

impl Schedule {
    fn new(world: Arc<World>, random: &mut SplitMix64) -> Self {
        let executor = Executor::new(random.next(), world.plan.uneven);
        let clients = Rc::new(Clients {
            world: world.clone(),
            servers: RefCell::default(),
            spawner: executor.spawner.clone(),
            random: RefCell::new(SplitMix64::new(random.next())),
            tokens: RefCell::default(),
            grants: RefCell::default(),
            proofs: RefCell::default(),
        });
        Self { world, executor, clients, flushers: Vec::new(), random: SplitMix64::new(random.next()) }
    }

    fn below(&mut self, end: u64) -> u64 {
        self.random.next() % end
    }

    async fn run(mut self) {
        let plan = self.world.plan;
        self.world.note(|| format!("{plan:?}"));
        open_header(&self.world.memory, Retention::new(RETAIN, Some(RETAIN_READS))).await.expect("a store in memory");
        for number in 0..plan.servers {
            let (server, flusher) = SimulatedServer::start(&self.world, number);
            self.clients.servers.borrow_mut().push(server);
            self.flushers.push(flusher);
        }
        for _ in 0..2 {
            let client = self.clients.clone().create_token();
            self.spawn(Box::pin(client));
        }
        self.finish_round().await;
        self.spawn(Box::pin(self.clients.clone().create_request()));
        self.finish_round().await;
        for _ in 0..plan.rounds {
            for _ in 0..2 + self.below(4) {
                self.start_client();
            }
            self.finish_round().await;
            if self.is_violated() {
                return;
            }
            self.pass_time();
        }
        self.quiesce().await;
    }

    fn spawn(&self, client: TaskFuture) {
        self.executor.spawner.borrow_mut().push((None, client));
    }

    fn is_violated(&self) -> bool {
        self.world.state().violation.is_some()
    }

    /// Starts a client with a random script.
    fn start_client(&mut self) {
        let clients = self.clients.clone();
        let Some(id) = self.clients.transfer() else {
            return self.spawn(Box::pin(upload_all(clients)));
        };
        let subject = Subject { transfer: Some(id), ..Subject::default() };
        let script: TaskFuture = match self.below(32) {
            0..4 => Box::pin(upload_all(clients)),
            4..7 => Box::pin(async move {
                clients.clone().upload(id).await;
                clients.complete(id).await;
            }),
            7..8 => Box::pin(clients.complete(id)),
            8..14 => Box::pin(clients.download(id)),
            14..16 => Box::pin(async move { clients.read(id, subject, None).await }),
            16..18 => Box::pin(clients.delete(id)),
            18 => Box::pin(clients.add_event(id)),
            19 if self.below(6) == 0 => Box::pin(clients.revoke_token()),
            21 if self.below(2) == 0 => Box::pin(clients.create_request()),
            22 if self.below(6) == 0 => Box::pin(clients.revoke_request()),
            20 => Box::pin(async move { clients.upload_presigned(id) }),
            21 => Box::pin(clients.read_keys(id)),
            24..27 => Box::pin(clients.create_link(id)),
            27..29 => Box::pin(clients.change_link(id)),
            29..31 => Box::pin(clients.download_link(id)),
            _ => return self.clients.maintain(),
        };
        self.spawn(script);
    }

    /// Runs all tasks to their end, under faults.
    async fn finish_round(&mut self) {
        let start = self.world.state().now;
        for _ in 0..MAX_STEPS {
            match self.executor.step() {
                TaskStep::Idle => return,
                TaskStep::Waiting => self.wait(Duration::from_millis(5)).await,
                TaskStep::Ran(number) => {
                    let mut state = self.world.state();
                    state.counts.steps += 1;
                    state.mix(&number);
                }
            }
            if self.is_violated() {
                return;
            }
            let roll = self.below(16);
            if roll == 0 {
                let millis = self.below(40);
                self.wait(Duration::from_millis(millis)).await;
            } else if roll < 8 {
                // Gives way to the writers of the audit logs.
                tokio::task::yield_now().await;
            }
            self.inject(start);
        }
        self.world.state().violate(|| "the servers make no progress".to_owned());
    }

    /// Lets timers run.
    async fn wait(&mut self, time: Duration) {
        tokio::time::sleep(time).await;
        let mut state = self.world.state();
        state.now = state.now.plus(time);
    }

    /// Crashes a server, or sets the clocks, by chance.
    fn inject(&mut self, start: crate::domain::timestamp::Timestamp) {
        let FaultRates { crashes, clock_jumps, .. } = self.world.state().rates;
        let (roll, servers) = (self.below(1_000), self.world.plan.servers as u64);
        if roll < crashes {
            let server = self.below(servers);
            self.crash(usize::try_from(server).expect("a number of a server"));
        } else if roll < crashes + clock_jumps {
            let server = usize::try_from(self.below(servers)).expect("a number of a server");
            let skew = self.skew();
            let mut state = self.world.state();
            state.skews[server] = skew;
            state.counts.clock_jumps += 1;
            state.note(|| format!("server {server}: its clock now differs by {skew} ms"));
        } else if roll < crashes + clock_jumps + 60 {
            let seconds = self.below(20);
            let mut state = self.world.state();
            if state.now.since(start) < MAX_ROUND {
                state.now = state.now.plus(Duration::from_secs(seconds));
            }
        }
    }

    fn skew(&mut self) -> i64 {
        let max = u64::try_from(MAX_SKEW.as_millis()).expect("minutes");
        self.below(2 * max).cast_signed() - max.cast_signed()
    }

    /// Ends a server without warning, and starts it again with empty memory.
    fn crash(&mut self, number: usize) {
        {
            let mut state = self.world.state();
            state.counts.crashes += 1;
            state.generations[number] += 1;
            state.note(|| format!("server {number} crashes"));
        }
        self.executor.crash(number);
        self.flushers[number].abort();
        let (server, flusher) = SimulatedServer::start(&self.world, number);
        self.clients.servers.borrow_mut()[number] = server;
        self.flushers[number] = flusher;
    }

    /// Lets time pass between two rounds: seconds, hours, or until a transfer is about to end.
    fn pass_time(&mut self) {
        let id = self.clients.transfer();
        let (kind, jitter) = (self.below(6), Duration::from_secs(self.below(840)));
        let mut state = self.world.state();
        let model = id.and_then(|id| state.model.transfers.get(&id));
        let later = match (kind, model) {
            (0, _) => state.now.plus(Duration::from_mins(65)),
            (1 | 2, Some(model)) => {
                let end = model.last.next_sweep_at(state.now, RETAIN).min(model.last.own_link.expires_at);
                end.minus(MAX_SKEW).plus(jitter)
            }
            (3, _) => state.now.plus(Duration::from_secs(61)),
            _ => state.now.plus(jitter / 100),
        };
        state.now = state.now.max(later);
        state.note(|| "time passes".to_owned());
    }

    /// Stops all faults, and checks the store at rest, and after the end of all transfers.
    async fn quiesce(&mut self) {
        {
            let mut state = self.world.state();
            state.rates = FaultRates::default();
            state.skews.fill(0);
            state.note(|| "quiescence".to_owned());
        }
        let servers = self.clients.servers.take();
        for server in &servers {
            server.transfers.flush_counts().await;
        }
        drop(servers);
        for flusher in self.flushers.drain(..) {
            drop(flusher.await);
        }
        self.world.state().check_audit();
        if self.is_violated() {
            return;
        }
        let (server, flusher) = SimulatedServer::start(&self.world, 0);
        let pass = |time: Duration| {
            let mut state = self.world.state();
            state.now = state.now.plus(time);
        };
        pass(MAX_SKEW * 2 + Duration::from_mins(5));
        self.sweep(&server).await;
        self.world.check_at_rest(&server).await;
        if self.is_violated() {
            return;
        }
        for days in [3, 1, 29, 62, 1] {
            pass(Duration::from_hours(24 * days));
            self.sweep(&server).await;
            self.world.check_no_old_reads().await;
        }
        self.world.check_after_the_end().await;
        drop(server);
        drop(flusher.await);
    }

    async fn sweep(&self, server: &SimulatedServer) {
        if let Err(error) = server.transfers.sweep().await {
            self.world.state().violate(|| format!("a sweep without faults fails: {error:?}"));
        }
    }
}

/// Creates a transfer and uploads its payload.
async fn upload_all(clients: Rc<Clients>) {
    let Some(id) = clients.clone().create_transfer().await else { return };
    if clients.below(4) == 0 {
        clients.clone().create_link(id).await;
    }
    if clients.world.plan.presigns && clients.below(3) > 0 {
        clients.upload_presigned(id);
    } else {
        clients.clone().upload(id).await;
    }
    if clients.below(8) > 0 {
        clients.complete(id).await;
    }
}
