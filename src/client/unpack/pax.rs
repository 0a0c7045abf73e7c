//! Parser for pax headers, which contain values that do not fit into an entry's regular header.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::UnpackError;

/// Values for the next entry.
#[derive(Debug, Default)]
pub(super) struct PaxRecords {
    pub path: Option<Vec<u8>>,
    pub target: Option<Vec<u8>>,
    pub size: Option<u64>,
    pub modified: Modified,
}

/// Modification time in a pax header.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Modified {
    /// No record; the time of the regular header applies.
    #[default]
    Absent,
    /// Invalid, or outside the range of this system.
    Invalid,
    At(SystemTime),
}

impl PaxRecords {
    /// Parses records of the form `LENGTH KEY=VALUE\n`; later records replace earlier ones.
    ///
    /// Rejects unsupported records that change how content or names are read, such as those of sparse files; ignores
    /// other unknown records.
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
                let size = number(value).ok_or(UnpackError::Damaged("a pax header has an invalid size"))?;
                self.size = Some(size);
            }
            b"mtime" => self.modified = time(value).map_or(Modified::Invalid, Modified::At),
            b"hdrcharset" if value != b"ISO-IR 10646 2000 UTF-8" => {
                return Err(UnpackError::Damaged("its names are not in UTF-8"));
            }
            key if key.starts_with(b"GNU.sparse.") || key == b"SCHILY.realsize" => {
                return Err(UnpackError::Damaged("it contains sparse files"));
            }
            _ => {}
        }
        Ok(())
    }

    /// Returns whether the records contain a path, link target or size, which a global header must not set.
    pub(super) const fn is_specific(&self) -> bool {
        self.path.is_some() || self.target.is_some() || self.size.is_some()
    }
}

/// Parses a decimal number without a sign.
fn number(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// Parses seconds since the Unix epoch (UTC), with an optional sign and a fraction. Ignores digits below 1 ns.
fn time(text: &[u8]) -> Option<SystemTime> {
    let (is_negative, text) = text.strip_prefix(b"-").map_or((false, text), |rest| (true, rest));
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
    if is_negative { UNIX_EPOCH.checked_sub(distance) } else { UNIX_EPOCH.checked_add(distance) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn records(bytes: &[u8]) -> Result<PaxRecords, UnpackError> {
        let mut records = PaxRecords::default();
        records.add(bytes).map(|()| records)
    }

    #[test]
    fn records_are_parsed_in_sequence() {
        let result = records(b"10 path=a\n12 mtime=-1.5\n13 comment=x\n8 size=7\n").unwrap_err();
        assert!(matches!(result, UnpackError::Damaged(_)), "a wrong length was accepted");
        let result = records(b"10 path=a\n14 mtime=-1.5\n13 comment=x\n9 size=7\n").unwrap();
        assert_eq!((result.path.as_deref(), result.size), (Some(&b"a"[..]), Some(7)));
        assert_eq!(result.modified, Modified::At(UNIX_EPOCH - Duration::from_millis(1500)));
    }

    #[test]
    fn malformed_and_unsupported_records_are_rejected() {
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
