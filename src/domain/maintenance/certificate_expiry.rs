//! Check of `doctor`: when the certificate of a server expires.

use super::finding::Finding;
use crate::domain::crypto::certificate::Validity;
use crate::domain::timestamp::Timestamp;

/// Milliseconds of a day.
const DAY: u128 = 24 * 60 * 60 * 1_000;

impl Finding {
    /// Reports when a certificate expires, and warns if it should have been renewed before `now`.
    ///
    /// The server's operator is warned at the same time, in the log.
    #[must_use]
    pub fn certificate_expiry(validity: Option<Validity>, now: Timestamp) -> Self {
        const NAME: &str = "certificate";
        let Some(validity) = validity else {
            return Self::cannot_tell(NAME, "the expiry of the certificate cannot be read", "look at it in a browser");
        };
        let days = match validity.ends_at.since(now).as_millis() / DAY {
            0 => "less than a day".to_owned(),
            1 => "1 day".to_owned(),
            days => format!("{days} days"),
        };
        let at = validity.ends_at.utc();
        if !validity.is_ending(now) {
            return Self::ok(NAME, format!("the certificate of the server expires in {days}, on {at}"));
        }
        let detail = if now < validity.ends_at {
            format!("the certificate of the server expires in {days}, on {at}, and should have been renewed by now")
        } else {
            format!("the certificate of the server has expired on {at}")
        };
        Self::warning(NAME, detail, "the operator must renew it, or find out in the log of the server why that fails")
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::domain::maintenance::finding::Verdict;

    #[test]
    fn an_ending_certificate_is_a_warning() {
        // 2026-01-01 00:00 UTC.
        let start = Timestamp::from_millis(1_767_225_600_000);
        let days = |days: u64| start.plus(Duration::from_hours(24 * days));
        let finding = |now| Finding::certificate_expiry(Some(Validity { starts_at: start, ends_at: days(90) }), now);
        let fine = finding(days(30));
        assert_eq!(fine.verdict, Verdict::Ok);
        assert_eq!(fine.detail, "the certificate of the server expires in 60 days, on 2026-04-01 00:00 UTC");
        assert_eq!(finding(days(75)).verdict, Verdict::Ok);
        for (now, words) in [
            (days(76), "in 14 days"),
            (days(89), "in 1 day,"),
            (days(90).minus(Duration::from_hours(1)), "in less than a day"),
        ] {
            let ending = finding(now);
            assert_eq!(ending.verdict, Verdict::Warning);
            assert!(ending.detail.contains(words), "{}", ending.detail);
        }
        assert!(finding(days(90)).detail.contains("has expired on 2026-04-01"));
        assert_eq!(Finding::certificate_expiry(None, start).verdict, Verdict::CannotTell);
    }
}
