//! Timestamps: integer milliseconds since the Unix epoch, in the API and in the store.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;
use time::{OffsetDateTime, PrimitiveDateTime};
use utoipa::ToSchema;

/// Milliseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(transparent)]
#[schema(value_type = u64, example = 1_767_225_600_000_u64)]
pub struct Timestamp(u64);

/// Latest second that [`Timestamp::civil`] formats, the end of the year 9999 (UTC). Later ones are formatted like this.
const LAST_CIVIL_SECOND: u64 = 253_402_300_799;

impl Timestamp {
    /// Creates the timestamp `millis` milliseconds after the Unix epoch.
    #[must_use]
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis)
    }

    /// Returns the milliseconds since the Unix epoch.
    #[must_use]
    pub const fn as_millis(self) -> u64 {
        self.0
    }

    /// Parses a date in an HTTP header, such as `Sun, 06 Nov 1994 08:49:37 GMT`. Returns `None` for other text.
    #[must_use]
    pub fn from_http_date(text: &str) -> Option<Self> {
        let format =
            format_description!("[weekday repr:short], [day] [month repr:short] [year] [hour]:[minute]:[second] GMT");
        // The parser would also accept a year with a sign.
        let text = Some(text).filter(|text| !text.contains(['+', '-']))?;
        let moment = PrimitiveDateTime::parse(text, format).ok()?.assume_utc();
        Some(Self(u64::try_from(moment.unix_timestamp()).ok()?.saturating_mul(1000)))
    }

    /// Returns the timestamp `duration` later, saturating at the maximum.
    #[must_use]
    pub fn plus(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)))
    }

    /// Returns the timestamp `duration` earlier, saturating at the Unix epoch.
    #[must_use]
    pub fn minus(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)))
    }

    /// Returns the duration since `earlier`, or zero if `earlier` is later than `self`.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }

    /// Returns the UTC day of the timestamp.
    #[must_use]
    pub fn day(self) -> Day {
        Day(self.civil(format_description!("[year]-[month]-[day]")))
    }

    /// Returns the UTC minute as `yyyy-mm-ddThh:mm`; the text sorts by time.
    #[must_use]
    pub fn minute(self) -> String {
        self.civil(format_description!("[year]-[month]-[day]T[hour]:[minute]"))
    }

    /// Formats the timestamp in UTC, as `yyyy-mm-dd hh:mm UTC`.
    #[must_use]
    pub fn utc(self) -> String {
        self.civil(format_description!("[year]-[month]-[day] [hour]:[minute] UTC"))
    }

    fn civil(self, format: &[BorrowedFormatItem<'_>]) -> String {
        let seconds = i64::try_from((self.0 / 1000).min(LAST_CIVIL_SECOND)).expect("the year 9999 fits");
        let moment = OffsetDateTime::from_unix_timestamp(seconds).expect("years up to 9999 are in range");
        moment.format(format).expect("the formats use only components of a date and time")
    }
}

/// Text of a UTC day, `yyyy-mm-dd`. Text from a store is not checked.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(transparent)]
#[schema(value_type = String, example = "2026-01-31")]
pub struct Day(String);

impl Day {
    /// Returns the next day, or `self` if its text is not a valid date or has no next day.
    #[must_use]
    pub fn next(&self) -> Self {
        // The parser would also accept a year with a sign.
        let unsigned = Some(&self.0).filter(|text| !text.starts_with(['+', '-']));
        let format = format_description!("[year]-[month]-[day]");
        let day = unsigned.and_then(|text| time::Date::parse(text, format).ok());
        day.and_then(time::Date::next_day).map_or_else(|| self.clone(), |day| Self(day.to_string()))
    }

    /// Returns the day as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<String> for Day {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn next_returns_the_following_day() {
        let next = |day: &str| Day::from(day.to_owned()).next().to_string();
        assert_eq!(next("2026-02-28"), "2026-03-01");
        assert_eq!(next("2027-12-31"), "2028-01-01");
        for invalid in ["someday", "-2026-02-28", "+2026-02-28", "9999-12-31"] {
            assert_eq!(next(invalid), invalid);
        }
    }

    #[test]
    fn days_and_minutes_are_utc() {
        let moment = Timestamp::from_millis(1_772_323_199_999);
        assert_eq!(moment.day().as_str(), "2026-02-28");
        assert_eq!(moment.minute(), "2026-02-28T23:59");
        assert_eq!(moment.plus(Duration::from_millis(1)).minute(), "2026-03-01T00:00");
    }

    #[test]
    fn http_dates_are_parsed() {
        let parse = Timestamp::from_http_date;
        assert_eq!(parse("Sun, 06 Nov 1994 08:49:37 GMT"), Some(Timestamp::from_millis(784_111_777_000)));
        for bad in [
            "",
            "now",
            "1994-11-06",
            "Sun, 06 Nov 1994 08:49:37 +0100",
            "Thu, 01 Jan 1969 00:00:00 GMT",
            "Sun, 06 Nov +1994 08:49:37 GMT",
        ] {
            assert_eq!(parse(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn extreme_timestamps_do_not_panic() {
        let last = Timestamp::from_millis(u64::MAX);
        assert_eq!(last.plus(Duration::MAX), last);
        assert_eq!(Timestamp::default().minus(Duration::MAX), Timestamp::default());
        assert_eq!(last.minute(), "9999-12-31T23:59");
        assert_eq!(Timestamp::default().since(last), Duration::ZERO);
    }
}
