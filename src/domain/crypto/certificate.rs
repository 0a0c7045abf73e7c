//! Validity of TLS certificates, and when its end is worth a notice.

use std::time::Duration;

use crate::domain::timestamp::Timestamp;

/// Maximum remaining lifetime at which a certificate is reported: 14 days.
///
/// Certificates of 90 days are usually renewed 30 days before their end.
const MAX_EXPIRY_NOTICE: Duration = Duration::from_hours(14 * 24);
/// Share of its lifetime at which a shorter-lived certificate is reported, as a divisor.
const EXPIRY_NOTICE_DIVISOR: u32 = 5;

/// Period in which clients accept a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validity {
    /// Start of the period.
    pub starts_at: Timestamp,
    /// End of the period.
    pub ends_at: Timestamp,
}

impl Validity {
    /// Reads the validity of a certificate in DER (RFC 5280, 4.1.2.5).
    ///
    /// `None` if the certificate cannot be parsed.
    #[must_use]
    pub fn of(certificate: &[u8]) -> Option<Self> {
        let (_, certificate) = x509_parser::parse_x509_certificate(certificate).ok()?;
        let at = |seconds: i64| Timestamp::from_millis(u64::try_from(seconds).unwrap_or(0).saturating_mul(1_000));
        let validity = certificate.validity();
        Some(Self { starts_at: at(validity.not_before.timestamp()), ends_at: at(validity.not_after.timestamp()) })
    }

    /// Returns the length of the period.
    #[must_use]
    pub fn lifetime(&self) -> Duration {
        self.ends_at.since(self.starts_at)
    }

    /// Returns whether the period includes `now`.
    #[must_use]
    pub fn includes(&self, now: Timestamp) -> bool {
        self.starts_at <= now && now < self.ends_at
    }

    /// Returns whether the certificate has expired, or will so soon that its renewal has probably failed.
    #[must_use]
    pub fn is_ending(&self, now: Timestamp) -> bool {
        self.ends_at.since(now) <= MAX_EXPIRY_NOTICE.min(self.lifetime() / EXPIRY_NOTICE_DIVISOR)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn days(days: u64) -> Timestamp {
        Timestamp::from_millis(0).plus(Duration::from_hours(24 * days))
    }

    #[test]
    fn an_ending_certificate_is_noticed_in_time() {
        let of_days = |count: u64| Validity { starts_at: days(100), ends_at: days(100 + count) };
        let three_months = of_days(90);
        assert!(!three_months.is_ending(days(100 + 75)));
        assert!(three_months.is_ending(days(100 + 76)) && three_months.is_ending(days(500)));
        let a_week = of_days(7);
        assert!(!a_week.is_ending(days(105)) && a_week.is_ending(days(106)));
    }

    #[test]
    fn a_period_excludes_its_end() {
        let validity = Validity { starts_at: days(1), ends_at: days(2) };
        let just_before = |time: Timestamp| time.minus(Duration::from_millis(1));
        assert!(validity.includes(days(1)) && validity.includes(just_before(days(2))));
        assert!(!validity.includes(just_before(days(1))) && !validity.includes(days(2)));
    }

    #[test]
    fn the_validity_of_a_certificate_is_read() {
        let mut params = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        params.not_before = rcgen::date_time_ymd(2026, 1, 31);
        params.not_after = rcgen::date_time_ymd(2026, 4, 30);
        let certificate = params.self_signed(&rcgen::KeyPair::generate().unwrap()).unwrap();
        let validity = Validity::of(certificate.der()).unwrap();
        assert_eq!(
            (validity.starts_at.utc(), validity.ends_at.utc()),
            ("2026-01-31 00:00 UTC".to_owned(), "2026-04-30 00:00 UTC".to_owned(),)
        );
        assert_eq!(Validity::of(b"no certificate"), None);
    }
}
