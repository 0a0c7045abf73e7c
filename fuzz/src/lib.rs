//! Checks shared by several fuzz targets.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// Parses JSON as a `T` and checks that the value survives a round trip through JSON.
#[expect(clippy::must_use_candidate, reason = "often called for its assertions only")]
pub fn parse_round_trip<T: Serialize + DeserializeOwned + PartialEq>(json: &[u8]) -> Option<T> {
    let value: T = serde_json::from_slice(json).ok()?;
    assert_round_trip(&value);
    Some(value)
}

/// Checks that serialising and parsing `value` returns the same value.
pub fn assert_round_trip<T: Serialize + DeserializeOwned + PartialEq>(value: &T) {
    let written = serde_json::to_vec(value).expect("a parsed value can be serialised");
    let reparsed: T = serde_json::from_slice(&written).expect("a serialised value can be parsed");
    assert!(reparsed == *value, "the value changed: {}", String::from_utf8_lossy(&written));
}

/// Checks that no member of the object in `json` is missing in the value parsed from it.
pub fn assert_keeps_members<T: Serialize>(json: &[u8], value: &T) {
    let Ok(Value::Object(object)) = serde_json::from_slice(json) else { return };
    let kept = serde_json::to_value(value).expect("a parsed value can be serialised");
    // serde also accepts an enum variant as an object: {"kind":{"link_opened":null}}.
    let is_compared = |value: &Value| !value.is_null() && !value.is_object();
    for (name, value) in object.iter().filter(|(_, value)| is_compared(value)) {
        assert_eq!(kept.get(name), Some(value), "member {name} is missing");
    }
}

/// Checks that `text` equals the canonical form of its parsed value, so no other form is accepted.
pub fn assert_canonical(text: &str, written: &str) {
    assert_eq!(written, text, "a non-canonical form was accepted");
}

/// Splits a target's input into its first lines; missing lines are empty.
#[must_use]
pub fn lines<const N: usize>(text: &str) -> [&str; N] {
    let mut lines = text.split('\n');
    std::array::from_fn(|_| lines.next().unwrap_or_default())
}
