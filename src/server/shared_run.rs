//! Slow operation whose callers share its runs and results.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

/// Operation with at most one run at a time, in a task of its own, whose last result is kept.
///
/// An operation that hangs thus costs one task, whatever its callers do.
#[derive(Debug)]
pub(super) struct SharedRun<T>(Arc<watch::Sender<RunState<T>>>);

#[derive(Debug)]
struct RunState<T> {
    running_since: Option<Instant>,
    last: Option<(Instant, T)>,
}

/// Marks the run as ended when it is dropped, also by a panic.
struct CurrentRun<T>(Arc<watch::Sender<RunState<T>>>);

impl<T> Default for SharedRun<T> {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(RunState { running_since: None, last: None })))
    }
}

impl<T> Drop for CurrentRun<T> {
    fn drop(&mut self) {
        self.0.send_modify(|state| state.running_since = None);
    }
}

impl<T: Clone + Send + Sync + 'static> SharedRun<T> {
    /// Returns the last result if it is younger than its `max_age`, else that of the present or a new run.
    ///
    /// Returns `None` once a run takes longer than `timeout`, at once where it already has. The run goes on, and its
    /// result serves later callers.
    pub(super) async fn get<F>(
        &self,
        timeout: Duration,
        max_age: impl Fn(&T) -> Duration,
        run: impl FnOnce() -> F,
    ) -> Option<T>
    where
        F: Future<Output = T> + Send + 'static,
    {
        let (mut fresh, mut is_new, mut since) = (None, false, Instant::now());
        self.0.send_if_modified(|state| {
            match &state.last {
                Some((at, result)) if at.elapsed() < max_age(result) => fresh = Some(result.clone()),
                _ => {
                    is_new = state.running_since.is_none();
                    since = *state.running_since.get_or_insert(since);
                }
            }
            false
        });
        if fresh.is_some() {
            return fresh;
        }
        let mut state = self.0.subscribe();
        if is_new {
            let (current, operation) = (CurrentRun(self.0.clone()), run());
            tokio::spawn(async move {
                let result = operation.await;
                current.0.send_modify(|state| state.last = Some((Instant::now(), result)));
            });
        }
        let ended = state.wait_for(|state| state.last.as_ref().is_some_and(|(at, _)| *at >= since));
        let state = timeout_at(since + timeout, ended).await.ok()?.ok()?;
        state.last.as_ref().map(|(_, result)| result.clone())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::sync::Semaphore;

    use super::*;

    const TIMEOUT: Duration = Duration::from_secs(2);

    /// An operation that waits for a permit, and counts its runs.
    struct Slow {
        shared: SharedRun<usize>,
        runs: Arc<AtomicUsize>,
        permits: Arc<Semaphore>,
    }

    impl Slow {
        fn with_permits(permits: usize) -> Self {
            let (shared, runs) = Default::default();
            Self { shared, runs, permits: Arc::new(Semaphore::new(permits)) }
        }

        async fn get(&self, max_age: Duration) -> Option<usize> {
            let run = || {
                let (runs, permits) = (self.runs.clone(), self.permits.clone());
                async move {
                    let number = runs.fetch_add(1, Ordering::SeqCst) + 1;
                    permits.acquire().await.unwrap().forget();
                    number
                }
            };
            self.shared.get(TIMEOUT, |_| max_age, run).await
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_result_is_shared_until_it_is_too_old() {
        let slow = Slow::with_permits(9);
        let age = Duration::from_secs(10);
        let (first, second) = tokio::join!(slow.get(age), slow.get(age));
        assert_eq!((first, second), (Some(1), Some(1)));
        tokio::time::advance(Duration::from_millis(9_999)).await;
        assert_eq!(slow.get(age).await, Some(1));
        tokio::time::advance(Duration::from_millis(1)).await;
        assert_eq!(slow.get(age).await, Some(2));
    }

    #[tokio::test(start_paused = true)]
    async fn an_operation_that_hangs_runs_once_and_delays_its_first_callers_only() {
        let slow = Slow::with_permits(0);
        let began = Instant::now();
        let (first, second) = tokio::join!(slow.get(Duration::ZERO), slow.get(Duration::ZERO));
        assert_eq!((first, second, began.elapsed()), (None, None, TIMEOUT));
        for _ in 0..100 {
            assert_eq!(slow.get(Duration::ZERO).await, None);
        }
        assert_eq!((began.elapsed(), slow.runs.load(Ordering::SeqCst)), (TIMEOUT, 1));
        slow.permits.add_permits(2);
        let late = loop {
            match slow.get(Duration::from_secs(1)).await {
                Some(result) => break result,
                None => tokio::task::yield_now().await,
            }
        };
        assert_eq!(late, 1);
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(slow.get(Duration::from_secs(1)).await, Some(2));
    }

    #[tokio::test(start_paused = true)]
    async fn a_panic_does_not_end_later_runs() {
        let shared = SharedRun::<()>::default();
        assert_eq!(shared.get(TIMEOUT, |()| TIMEOUT, || async { panic!("a test panics") }).await, None);
        assert_eq!(shared.get(TIMEOUT, |()| TIMEOUT, || async {}).await, Some(()));
    }
}
