//! Plural forms in messages.

/// Formats a number with its noun: `1 file`, `2 files`.
pub(crate) fn with_number(number: usize, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {noun}{plural}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_one_is_singular() {
        assert_eq!([0, 1, 2].map(|number| with_number(number, "file")), ["0 files", "1 file", "2 files"]);
    }
}
