//! Faults of TLS certificates, as users understand them.

use rustls::{CertificateError, OtherError};
use rustls_pki_types::UnixTime;

use crate::domain::clock::{Clock, SystemClock};
use crate::domain::timestamp::Timestamp;

/// Maximum number of names of a certificate that an error quotes.
const MAX_NAMES: usize = 5;

/// Reason why a server's certificate is rejected. The texts continue "the certificate of SERVER".
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CertificateFault {
    /// The certificate, or the certificate of its authority, has expired.
    #[error("expired{}", past(*.0))]
    Expired(Option<Timestamp>),
    /// The certificate is not valid yet.
    #[error("is not valid yet{}", future(*.since, *.now))]
    NotYetValid {
        /// Start of its validity.
        since: Option<Timestamp>,
        /// Time of this machine's clock.
        now: Timestamp,
    },
    /// The certificate belongs to other names.
    #[error("is for {}, not for {requested}", names(.presented))]
    WrongName {
        /// Name in the URL.
        requested: String,
        /// Names in the certificate. Untrusted text.
        presented: Vec<String>,
    },
    /// The certificate is self-signed or has an unknown issuer.
    #[error("is self-signed, or issued by an authority that this machine does not trust")]
    UnknownIssuer,
    /// The server uses the certificate of an authority as its own.
    #[error("is the certificate of an authority (CA:TRUE), which a server cannot use as its own")]
    Authority,
    /// The certificate has been revoked.
    #[error("was revoked by its issuer")]
    Revoked,
    /// Another fault, in the words of the TLS library.
    #[error("is not valid: {0}")]
    Other(String),
}

impl CertificateFault {
    /// Classifies an error of the TLS library about the certificate of `host`.
    pub(super) fn of(error: &CertificateError, host: &str) -> Self {
        let time = |time: &UnixTime| Timestamp::from_millis(time.as_secs().saturating_mul(1000));
        let presented = |names: &[String]| names.iter().map(|name| bare_name(name)).collect();
        match error {
            CertificateError::Expired => Self::Expired(None),
            CertificateError::ExpiredContext { not_after, .. } => Self::Expired(Some(time(not_after))),
            CertificateError::NotValidYet => Self::NotYetValid { since: None, now: SystemClock.now() },
            CertificateError::NotValidYetContext { time: now, not_before } => {
                Self::NotYetValid { since: Some(time(not_before)), now: time(now) }
            }
            CertificateError::NotValidForName => Self::WrongName { requested: host.to_owned(), presented: Vec::new() },
            CertificateError::NotValidForNameContext { presented: names, .. } => {
                Self::WrongName { requested: host.to_owned(), presented: presented(names) }
            }
            // A bad signature is that of an authority with the name of a trusted one, and another key.
            CertificateError::UnknownIssuer | CertificateError::BadSignature => Self::UnknownIssuer,
            CertificateError::Revoked => Self::Revoked,
            CertificateError::Other(OtherError(inner)) => match inner.downcast_ref::<webpki::Error>() {
                Some(webpki::Error::CaUsedAsEndEntity) => Self::Authority,
                _ => Self::Other(inner.to_string()),
            },
            error => Self::Other(error.to_string()),
        }
    }

    /// Returns the fault as a stable word.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::Expired(_) => "expired",
            Self::NotYetValid { .. } => "not_yet_valid",
            Self::WrongName { .. } => "wrong_name",
            Self::UnknownIssuer => "unknown_issuer",
            Self::Authority => "authority_certificate",
            Self::Revoked => "revoked",
            Self::Other(_) => "other",
        }
    }
}

fn past(end: Option<Timestamp>) -> String {
    end.map(|end| format!(" on {}", end.utc())).unwrap_or_default()
}

fn future(since: Option<Timestamp>, now: Timestamp) -> String {
    let now = now.utc();
    since.map_or_else(
        || format!(" by the clock of this machine, which shows {now}"),
        |since| format!(": it is valid from {} on, and the clock of this machine shows {now}", since.utc()),
    )
}

fn names(presented: &[String]) -> String {
    match presented {
        [] => "no name".to_owned(),
        [one] => one.clone(),
        [first @ .., last] if presented.len() <= MAX_NAMES => format!("{} and {last}", first.join(", ")),
        _ => format!("{} and {} other names", presented[..MAX_NAMES].join(", "), presented.len() - MAX_NAMES),
    }
}

/// Returns a name as users write it. The TLS library writes `DnsName("a.example")` and `IpAddress(192.0.2.7)`.
fn bare_name(name: &str) -> String {
    let inner = |prefix, suffix| name.strip_prefix(prefix).and_then(|name: &str| name.strip_suffix(suffix));
    inner("DnsName(\"", "\")").or_else(|| inner("IpAddress(", ")")).unwrap_or(name).to_owned()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn message(error: &CertificateError) -> String {
        CertificateFault::of(error, "send.example").to_string()
    }

    #[test]
    fn times_are_dates_and_names_are_bare() {
        let time = |seconds| UnixTime::since_unix_epoch(Duration::from_secs(seconds));
        let expired = CertificateError::ExpiredContext { time: time(1_800_000_000), not_after: time(1_700_000_000) };
        assert_eq!(message(&expired), "expired on 2023-11-14 22:13 UTC");
        let early = CertificateError::NotValidYetContext { time: time(1_700_000_000), not_before: time(1_800_000_000) };
        assert_eq!(
            message(&early),
            "is not valid yet: it is valid from 2027-01-15 08:00 UTC on, and the clock of this machine shows \
             2023-11-14 22:13 UTC"
        );
        let wrong = |names: &[&str]| {
            message(&CertificateError::NotValidForNameContext {
                expected: "send.example".try_into().unwrap(),
                presented: names.iter().map(ToString::to_string).collect(),
            })
        };
        assert_eq!(wrong(&["DnsName(\"a.example\")"]), "is for a.example, not for send.example");
        assert_eq!(wrong(&["DnsName(\"a\")", "IpAddress(192.0.2.7)"]), "is for a and 192.0.2.7, not for send.example");
        assert_eq!(wrong(&["a"; 8]), "is for a, a, a, a, a and 3 other names, not for send.example");
        assert_eq!(wrong(&[]), "is for no name, not for send.example");
    }

    #[test]
    fn each_fault_has_its_own_sentence() {
        let authority = OtherError(std::sync::Arc::new(webpki::Error::CaUsedAsEndEntity));
        let faults = [
            CertificateError::Expired,
            CertificateError::NotValidYet,
            CertificateError::NotValidForName,
            CertificateError::UnknownIssuer,
            CertificateError::Revoked,
            CertificateError::Other(authority),
            CertificateError::BadEncoding,
        ];
        let reasons: std::collections::BTreeSet<_> =
            faults.iter().map(|fault| CertificateFault::of(fault, "x").reason()).collect();
        assert_eq!(reasons.len(), faults.len());
        assert_eq!(message(&CertificateError::Revoked), "was revoked by its issuer");
    }
}
