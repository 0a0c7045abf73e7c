//! Single-threaded executor: a seeded choice of the task that runs next.

use std::cell::RefCell;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Wake, Waker};

use crate::domain::crypto::random::seeded::SplitMix64;

/// Future of a task.
pub(super) type TaskFuture = Pin<Box<dyn Future<Output = ()>>>;

/// Tasks started since the executor's last step, each with the server that it runs on.
pub(super) type Spawner = Rc<RefCell<Vec<(Option<usize>, TaskFuture)>>>;

/// Whether a task can make progress.
struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

struct Task {
    number: u64,
    /// Server whose crash ends the task; `None` for a client.
    server: Option<usize>,
    weight: u64,
    woken: Arc<Woken>,
    waker: Waker,
    future: TaskFuture,
}

/// Tasks of one schedule.
pub(super) struct Executor {
    pub(super) spawner: Spawner,
    tasks: Vec<Task>,
    random: SplitMix64,
    uneven: bool,
    spawned: u64,
}

/// Outcome of one step.
pub(super) enum TaskStep {
    /// The task of this number ran.
    Ran(u64),
    /// No task is ready before a timer, or a task outside the executor, wakes one.
    Waiting,
    /// No task is left.
    Idle,
}

impl Executor {
    pub(super) fn new(seed: u64, uneven: bool) -> Self {
        Self { spawner: Rc::default(), tasks: Vec::new(), random: SplitMix64::new(seed), uneven, spawned: 0 }
    }

    /// Polls a randomly chosen ready task once. Its chance is proportional to its weight.
    pub(super) fn step(&mut self) -> TaskStep {
        self.take_spawned();
        let is_ready = |task: &&Task| task.woken.0.load(Ordering::Relaxed);
        let total: u64 = self.tasks.iter().filter(is_ready).map(|task| task.weight).sum();
        if total == 0 {
            return if self.tasks.is_empty() { TaskStep::Idle } else { TaskStep::Waiting };
        }
        let mut roll = self.random.next() % total;
        let chosen = self.tasks.iter().position(|task| {
            let weight = if task.woken.0.load(Ordering::Relaxed) { task.weight } else { 0 };
            let is_chosen = roll < weight;
            roll = roll.wrapping_sub(weight);
            is_chosen
        });
        let index = chosen.expect("the roll is below the sum of the weights");
        let task = &mut self.tasks[index];
        task.woken.0.store(false, Ordering::Relaxed);
        let number = task.number;
        if task.future.as_mut().poll(&mut Context::from_waker(&task.waker)).is_ready() {
            drop(self.tasks.remove(index));
        }
        TaskStep::Ran(number)
    }

    /// Drops the tasks of a crashed server, each at the await point that it has reached.
    pub(super) fn crash(&mut self, server: usize) {
        self.take_spawned();
        self.tasks.retain(|task| task.server != Some(server));
    }

    fn take_spawned(&mut self) {
        for (server, future) in self.spawner.take() {
            // A task with weight 1 rarely runs beside one with 64, which simulates a slow network or machine.
            let weight = if self.uneven { 1 << (self.random.next() % 4 * 2) } else { 1 };
            let woken = Arc::new(Woken(AtomicBool::new(true)));
            let waker = Waker::from(woken.clone());
            self.spawned += 1;
            self.tasks.push(Task { number: self.spawned, server, weight, woken, waker, future });
        }
    }
}
