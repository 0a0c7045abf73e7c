//! Times as people read them: in the local time zone, with the zone's name, and relative to now.
//!
//! JSON output has milliseconds since 1970 (UTC) instead.

use std::sync::OnceLock;
use std::time::Duration;

use jiff::tz::TimeZone;

use crate::domain::clock::{Clock, SystemClock};
use crate::domain::timestamp::Timestamp;

/// Time units with their lengths in seconds, longest first.
const UNITS: [(u64, &str); 4] = [(86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second")];

/// Formats a time to the minute, such as `2026-03-01 09:30 CET`.
pub(crate) fn local(at: Timestamp) -> String {
    in_zone(at, zone(), "%Y-%m-%d %H:%M %Z")
}

/// Formats a time to the second, so that records of the same minute can be ordered.
pub(crate) fn to_second(at: Timestamp) -> String {
    in_zone(at, zone(), "%Y-%m-%d %H:%M:%S %Z")
}

/// Formats the distance of a time from now in its largest unit, such as `in 6 days` or `3 hours ago`.
pub(crate) fn relative(at: Timestamp) -> String {
    distance(at, SystemClock.now())
}

/// Returns whether a time has passed.
pub(crate) fn is_past(at: Timestamp) -> bool {
    at <= SystemClock.now()
}

/// Formats a time with its distance from now, such as `2026-03-01 09:30 CET (in 6 days)`.
pub(crate) fn with_distance(at: Timestamp) -> String {
    format!("{} ({})", local(at), relative(at))
}

/// Returns the local time zone: of the variable `TZ`, or of the system; UTC if neither is known.
fn zone() -> &'static TimeZone {
    static ZONE: OnceLock<TimeZone> = OnceLock::new();
    ZONE.get_or_init(|| TimeZone::try_system().unwrap_or(TimeZone::UTC))
}

fn in_zone(at: Timestamp, zone: &TimeZone, format: &str) -> String {
    // Later times are those of a server without a sensible clock: they are shown as the last time there is.
    let millis = i64::try_from(at.as_millis()).unwrap_or(i64::MAX);
    let moment = jiff::Timestamp::from_millisecond(millis).unwrap_or(jiff::Timestamp::MAX);
    moment.to_zoned_datetime(zone.clone()).strftime(format).to_string()
}

fn distance(at: Timestamp, now: Timestamp) -> String {
    let (ahead, ago) = (at.since(now), now.since(at));
    let length = rounded(ahead.max(ago));
    match length {
        None => "now".to_owned(),
        Some(length) if ahead > ago => format!("in {length}"),
        Some(length) => format!("{length} ago"),
    }
}

/// Formats a duration in its largest unit; a duration just below a unit counts as one, as in "7 days".
fn rounded(duration: Duration) -> Option<String> {
    // A time 7 days ahead is 6 days, 23 hours and 59 minutes ahead by the time it is printed.
    let seconds = duration.as_secs() + u64::from(duration.subsec_millis() >= 500);
    let (length, unit) = UNITS.into_iter().find(|(length, _)| seconds + slack(*length) >= *length)?;
    let count = (seconds + slack(length)) / length;
    Some(format!("{count} {unit}{}", if count == 1 { "" } else { "s" }))
}

/// Returns by how many seconds a duration may miss a whole number of units.
const fn slack(unit: u64) -> u64 {
    unit / 120
}

#[cfg(test)]
mod tests {
    use super::*;

    fn in_named_zone(at: u64, zone: &str) -> String {
        in_zone(Timestamp::from_millis(at), &TimeZone::posix(zone).unwrap(), "%Y-%m-%d %H:%M:%S %Z")
    }

    #[test]
    fn times_carry_the_name_of_their_zone() {
        let at = 1_772_323_199_999;
        assert_eq!(in_named_zone(at, "UTC0"), "2026-02-28 23:59:59 UTC");
        assert_eq!(in_named_zone(at, "CET-1CEST,M3.5.0,M10.5.0/3"), "2026-03-01 00:59:59 CET");
        assert_eq!(in_named_zone(1_782_864_000_000, "CET-1CEST,M3.5.0,M10.5.0/3"), "2026-07-01 02:00:00 CEST");
        assert_eq!(in_named_zone(at, "<+0530>-5:30"), "2026-03-01 05:29:59 +0530");
        assert!(in_named_zone(u64::MAX, "UTC0").starts_with("9999-12-3"));
    }

    #[test]
    fn distances_have_one_unit() {
        let now = Timestamp::from_millis(1_000_000_000_000);
        let day = Duration::from_hours(24);
        for (duration, text) in [
            (day * 7, "7 days"),
            (Duration::from_secs(7 * 86_400 - 3), "7 days"),
            (day * 6 + Duration::from_hours(12), "6 days"),
            (day, "1 day"),
            (Duration::from_hours(23), "23 hours"),
            (Duration::from_mins(90), "1 hour"),
            (Duration::from_secs(59), "59 seconds"),
            (Duration::from_secs(1), "1 second"),
        ] {
            assert_eq!(distance(now.plus(duration), now), format!("in {text}"));
            assert_eq!(distance(now.minus(duration), now), format!("{text} ago"));
        }
        assert_eq!(distance(now, now), "now");
    }
}
