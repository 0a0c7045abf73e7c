//! The records of a pax header: what of an entry its own header has no room for.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::UnpackError;

/// What the records say of the next entry.
#[derive(Debug, Default)]
pub(super) struct Records {
    pub path: Option<Vec<u8>>,
    pub target: Option<Vec<u8>>,
    pub size: Option<u64>,
    pub modified: Modified,
}

/// What the records say of the time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Modified {
    /// Nothing: the header's counts.
    #[default]
    Untold,
    /// None that this system knows.
    Unknown,
    At(SystemTime),
}

impl Records {
    /// Reads `LENGTH KEY=VALUE\n` again and again; later records win. What changes how content is to be read is refused, and
    /// so is what is not understood there. Records that only say more are passed over.
    pub(super) fn add(&mut self, mut bytes: &[u8]) -> Result<(), UnpackError> {
        let damaged = || UnpackError::Damaged("a pax header is malformed");
        while !bytes.is_empty() {
            let space = bytes.iter().take(8).position(|byte| *byte == b' ').ok_or_else(damaged)?;
            let length = number(&bytes[..space]).and_then(|length| usize::try_from(length).ok()).ok_or_else(damaged)?;
            let record = bytes.get(space + 1..length).ok_or_else(damaged)?;
            let record = record.strip_suffix(b"\n").ok_or_else(damaged)?;
            bytes = &bytes[length..];
            let equals = record.iter().position(|byte| *byte == b'=').ok_or_else(damaged)?;
            self.record(&record[..equals], &record[equals + 1..])?;
        }
        Ok(())
    }

    fn record(&mut self, key: &[u8], value: &[u8]) -> Result<(), UnpackError> {
        match key {
            b"path" => self.path = Some(value.to_owned()),
            b"linkpath" => self.target = Some(value.to_owned()),
            b"size" => {
                let size = number(value).ok_or(UnpackError::Damaged("a pax header states no size"))?;
                self.size = Some(size);
            }
            b"mtime" => self.modified = time(value).map_or(Modified::Unknown, Modified::At),
            b"hdrcharset" if value != b"ISO-IR 10646 2000 UTF-8" => {
                return Err(UnpackError::Damaged("its names are not in UTF-8"));
            }
            key if key.starts_with(b"GNU.sparse.") || key == b"SCHILY.realsize" => {
                return Err(UnpackError::Damaged("it holds files with holes"));
            }
            _ => {}
        }
        Ok(())
    }

    /// Whether records that are for all entries say what can only be true of one.
    pub(super) const fn is_about_one(&self) -> bool {
        self.path.is_some() || self.target.is_some() || self.size.is_some()
    }
}

/// A decimal number without a sign.
fn number(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// Seconds since 1970, maybe with a sign and a fraction, of which nine digits count.
fn time(text: &[u8]) -> Option<SystemTime> {
    let (before, text) = text.strip_prefix(b"-").map_or((false, text), |rest| (true, rest));
    let mut parts = text.splitn(2, |byte| *byte == b'.');
    let seconds = number(parts.next()?)?;
    let nanos = match parts.next() {
        None | Some([]) => 0,
        Some(fraction) => {
            let mut digits = fraction[..fraction.len().min(9)].to_vec();
            digits.resize(9, b'0');
            u32::try_from(number(&digits)?).ok()?
        }
    };
    let distance = Duration::new(seconds, nanos);
    if before { UNIX_EPOCH.checked_sub(distance) } else { UNIX_EPOCH.checked_add(distance) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn records(bytes: &[u8]) -> Result<Records, UnpackError> {
        let mut records = Records::default();
        records.add(bytes).map(|()| records)
    }

    #[test]
    fn records_are_read_one_after_the_other() {
        let read = records(b"10 path=a\n12 mtime=-1.5\n13 comment=x\n8 size=7\n").unwrap_err();
        assert!(matches!(read, UnpackError::Damaged(_)), "a length that is wrong");
        let read = records(b"10 path=a\n14 mtime=-1.5\n13 comment=x\n9 size=7\n").unwrap();
        assert_eq!((read.path.as_deref(), read.size), (Some(&b"a"[..]), Some(7)));
        assert_eq!(read.modified, Modified::At(UNIX_EPOCH - Duration::from_millis(1500)));
    }

    #[test]
    fn what_is_malformed_or_changes_content_is_refused() {
        for bytes in [
            &b"path=a\n"[..],
            b"5 path=a\n",
            b"99 path=a\n",
            b"8 path=a\n",
            b"-1 path=a\n",
            b"99999999999999999999 path=a\n",
            b"8 path-a\n",
            b"11 size=-1\n",
            b"9 size=\n",
            b"22 GNU.sparse.major=1\n",
            b"21 hdrcharset=BINARY\n",
        ] {
            assert!(records(bytes).is_err(), "{}", String::from_utf8_lossy(bytes));
        }
    }
}
