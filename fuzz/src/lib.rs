//! What several targets check.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// Reads JSON as a `T`. What can be read is written, and read again as the same.
#[expect(clippy::must_use_candidate, reason = "often it is called for what it checks")]
pub fn reads_back<T: Serialize + DeserializeOwned + PartialEq>(json: &[u8]) -> Option<T> {
    let value: T = serde_json::from_slice(json).ok()?;
    is_written_as_it_is(&value);
    Some(value)
}

/// Checks that `value` is read as it is written.
pub fn is_written_as_it_is<T: Serialize + DeserializeOwned + PartialEq>(value: &T) {
    let written = serde_json::to_vec(value).expect("what was read can be written");
    let again: T = serde_json::from_slice(&written).expect("what was written can be read");
    assert!(again == *value, "it changed: {}", String::from_utf8_lossy(&written));
}

/// Checks that a value that was read from `json` lacks nothing that stands there.
pub fn keeps_every_member<T: Serialize>(json: &[u8], value: &T) {
    let Ok(Value::Object(asked)) = serde_json::from_slice(json) else { return };
    let kept = serde_json::to_value(value).expect("what was read can be written");
    // serde also takes one of several words as an object: {"kind":{"link_opened":null}}.
    let says_more = |wanted: &Value| !wanted.is_null() && !wanted.is_object();
    for (name, wanted) in asked.iter().filter(|(_, wanted)| says_more(wanted)) {
        assert_eq!(kept.get(name), Some(wanted), "{name} was not kept");
    }
}

/// Checks that what was read from `text` is `text` again when it is written: there is one form, and no other is taken.
pub fn has_one_form(text: &str, written: &str) {
    assert_eq!(written, text, "a second form was taken");
}

/// The first lines of a target's input; absent ones are empty.
#[must_use]
pub fn lines<const N: usize>(text: &str) -> [&str; N] {
    let mut lines = text.split('\n');
    std::array::from_fn(|_| lines.next().unwrap_or_default())
}
