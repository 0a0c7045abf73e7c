//! Parsers for times and days in headers, keys and records.

#![no_main]

use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use sgsend::domain::timestamp::{Day, Timestamp};
use sgsend_fuzz::parse_round_trip;

const DAY: Duration = Duration::from_hours(24);
/// First time after the latest HTTP date.
const END: Timestamp = Timestamp::from_millis(253_402_300_800_000);

fn check(at: Timestamp) {
    let later = at.plus(DAY);
    assert!(at <= later && at.minute() <= later.minute() && at.day() <= later.day());
    assert!(at.minute().starts_with(at.day().as_str()));
    assert!(later.since(at) <= DAY && later.minus(DAY) <= at);
    if later < END {
        assert_eq!(at.day().next(), later.day());
    }
}

fuzz_target!(|text: &str| {
    if let Some(at) = parse_round_trip::<Timestamp>(text.as_bytes()) {
        check(at);
    }
    if let Some(at) = Timestamp::from_http_date(text) {
        assert!(at < END && at.as_millis() % 1_000 == 0);
        let minute = at.minute();
        assert!(text.contains(&minute[11..]) && text.contains(&minute[8..10]), "{text:?} is not {minute}");
        check(at);
    }
    let day = Day::from(text.to_owned());
    let next = day.next();
    assert!(next >= day, "{next} is earlier than {day}");
    if next != day {
        assert_eq!((next.as_str().len(), day.as_str().len()), (10, 10));
    }
});
