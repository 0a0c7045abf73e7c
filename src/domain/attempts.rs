//! How often somebody may guess.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Mutex;
use std::time::Duration;

use super::error::Error;
use super::timestamp::Timestamp;

/// Those who have guessed wrong in one window of time, at most; while there are as many, further ones are refused.
const GUESSERS: usize = 262_144;

/// What somebody has shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shown {
    /// What was asked for.
    Right,
    /// A guess.
    Wrong,
    /// Nothing that could be one.
    Nothing,
}

/// Counts wrong guesses in this process, in windows of time that follow each other.
#[derive(Debug)]
pub struct Attempts<K> {
    most: u32,
    window: Duration,
    counts: Mutex<Window<K>>,
}

#[derive(Debug)]
struct Window<K> {
    number: u64,
    wrong: HashMap<K, u32>,
}

impl<K: Eq + Hash> Attempts<K> {
    /// Lets each `K` guess wrong `most` times in a `window`.
    ///
    /// # Panics
    /// Later, if the window is shorter than a millisecond.
    #[must_use]
    pub fn new(most: u32, window: Duration) -> Self {
        Self { most, window, counts: Mutex::new(Window { number: 0, wrong: HashMap::new() }) }
    }

    /// Looks at what was shown, unless too much was guessed already: however many ask at once, no more is looked at.
    ///
    /// # Errors
    /// [`Error::RateLimited`] until the window is over; `look` is not called then, so that it cannot tell anything.
    pub fn judge(&self, who: K, now: Timestamp, look: impl FnOnce() -> Shown) -> Result<Shown, Error> {
        let window = u64::try_from(self.window.as_millis()).unwrap_or(u64::MAX);
        let number = now.as_millis() / window;
        let mut counts = self.counts.lock().expect("nothing panics while it holds this lock");
        // A request that read the clock just before the window ended counts in the one that has begun.
        if number != counts.number && number + 1 != counts.number {
            *counts = Window { number, wrong: HashMap::new() };
        }
        let known = counts.wrong.get(&who).copied();
        let full = known.is_none() && counts.wrong.len() >= GUESSERS;
        if full || known.is_some_and(|wrong| wrong >= self.most) {
            let retry_after = Duration::from_millis((number + 1) * window - now.as_millis());
            return Err(Error::RateLimited { retry_after });
        }
        let shown = look();
        if shown == Shown::Wrong {
            *counts.wrong.entry(who).or_default() += 1;
        }
        Ok(shown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_000_000);

    fn guess<K: Eq + Hash>(attempts: &Attempts<K>, who: K, now: Timestamp) -> Result<Shown, Error> {
        attempts.judge(who, now, || Shown::Wrong)
    }

    #[test]
    fn after_ten_guesses_nothing_is_looked_at_until_the_window_is_over() {
        let attempts = Attempts::new(10, Duration::from_mins(1));
        for _ in 0..10 {
            guess(&attempts, 1, NOW).unwrap();
        }
        let error = attempts.judge(1, NOW, || panic!("it was looked at")).unwrap_err();
        assert!(matches!(error, Error::RateLimited { retry_after } if retry_after == Duration::from_secs(20)));
        guess(&attempts, 2, NOW).unwrap();
        guess(&attempts, 1, NOW.plus(Duration::from_secs(20))).unwrap();
    }

    #[test]
    fn only_guesses_count() {
        let attempts = Attempts::new(1, Duration::from_mins(1));
        for shown in [Shown::Right, Shown::Nothing, Shown::Right, Shown::Wrong] {
            assert_eq!(attempts.judge(1, NOW, || shown).unwrap(), shown);
        }
        guess(&attempts, 1, NOW).unwrap_err();
    }

    #[test]
    fn a_request_that_comes_late_clears_no_window() {
        let attempts = Attempts::new(1, Duration::from_mins(1));
        let before = Timestamp::from_millis(59_999);
        let after = Timestamp::from_millis(60_000);
        guess(&attempts, 1, after).unwrap();
        guess(&attempts, 2, before).unwrap();
        guess(&attempts, 1, after).unwrap_err();
        guess(&attempts, 2, after).unwrap_err();
    }

    #[test]
    fn a_full_table_refuses_new_guessers_and_forgets_nobody() {
        let attempts = Attempts::new(1, Duration::from_mins(1));
        for who in 0..GUESSERS {
            guess(&attempts, who, NOW).unwrap();
        }
        guess(&attempts, GUESSERS, NOW).unwrap_err();
        guess(&attempts, 0, NOW).unwrap_err();
        guess(&attempts, GUESSERS, NOW.plus(Duration::from_mins(1))).unwrap();
    }
}
