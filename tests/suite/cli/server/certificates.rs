//! Certificates that clients reject, and ports that speak another protocol.

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, date_time_ymd};
use serde_json::Value;
use time::{Duration, OffsetDateTime};

use crate::support::{Home, ServerProcess};

/// Id of a transfer that does not exist.
const ID: &str = "01890a5dac96774bbcceb302099a8057";

/// An authority, and a home that has its certificate.
struct Authority {
    home: Home,
    issuer: CertifiedIssuer<'static, KeyPair>,
    ca: String,
}

impl Authority {
    fn new() -> Self {
        let home = Home::new();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let ca = home.file("ca.pem", issuer.pem().as_bytes());
        Self { home, issuer, ca }
    }

    /// Starts a server with a certificate of this authority, or with a self-signed one.
    fn serve(&self, self_signed: bool, change: impl FnOnce(&mut CertificateParams)) -> ServerProcess {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec!["localhost".to_owned(), "127.0.0.1".to_owned()]).unwrap();
        change(&mut params);
        let certificate =
            if self_signed { params.self_signed(&key).unwrap() } else { params.signed_by(&key, &self.issuer).unwrap() };
        let cert = self.home.file("cert.pem", certificate.pem().as_bytes());
        let key = self.home.file("key.pem", key.serialize_pem().as_bytes());
        self.home.serve(&["--storage", "memory:", "--tls-cert", &cert, "--tls-key", &key])
    }

    /// Returns the error of a command that trusts the authority.
    fn tls_error(&self, serving: &ServerProcess) -> Value {
        let finished = self.home.run(&["--json", "--ca-file", &self.ca, "--server", &serving.public, "status", ID]);
        assert_eq!(finished.exit, 8, "{}", String::from_utf8_lossy(&finished.stdout));
        finished.json()["error"].clone()
    }
}

/// Checks the reason, the message and the hint of an error.
fn check_error(error: &Value, reason: &str, message: &str, hint: &str, unhelpful: &str) {
    let text = |member: &str| error[member].as_str().unwrap_or_default().to_owned();
    assert_eq!((text("code").as_str(), text("reason").as_str()), ("untrusted_certificate", reason), "{error}");
    assert!(text("message").contains(message), "{message:?} is not in {error}");
    assert!(text("hint").contains(hint), "{hint:?} is not in {error}");
    assert!(!text("hint").contains(unhelpful), "{unhelpful:?} is in {error}");
    assert_eq!(error["retryable"], false);
}

#[test]
fn each_rejected_certificate_has_its_own_sentence_and_hint() {
    let authority = Authority::new();
    let expired = authority.serve(false, |params| {
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(2021, 2, 3);
    });
    let error = authority.tls_error(&expired);
    check_error(&error, "expired", "expired on 2021-02-03 00:00 UTC", "renew", "--ca-file");
    let early = authority.serve(false, |params| {
        params.not_before = date_time_ymd(2090, 1, 2);
        params.not_after = date_time_ymd(2091, 1, 1);
    });
    let error = authority.tls_error(&early);
    check_error(&error, "not_yet_valid", "valid from 2090-01-02 00:00 UTC on", "check the clock", "--ca-file");
    let misnamed = authority.serve(false, |params| {
        *params = CertificateParams::new(vec!["send.example".to_owned(), "*.other.example".to_owned()]).unwrap();
    });
    let error = authority.tls_error(&misnamed);
    let names = "is for send.example and *.other.example, not for 127.0.0.1";
    check_error(&error, "wrong_name", names, "host name", "--ca-file");
    let foreign = Authority::new();
    let error = authority.tls_error(&foreign.serve(false, |_| ()));
    check_error(
        &error,
        "unknown_issuer",
        "issued by an authority that this machine does not trust",
        "--ca-file",
        "clock",
    );
    let error = authority.tls_error(&authority.serve(true, |_| ()));
    check_error(&error, "unknown_issuer", "is self-signed", "--ca-file", "clock");
    // As openssl req -x509 makes it.
    let own = authority.serve(true, |params| params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained));
    check_error(&authority.tls_error(&own), "authority_certificate", "CA:TRUE", "CA:FALSE", "--ca-file");
}

#[test]
fn a_port_with_the_other_scheme_is_named() {
    let authority = Authority::new();
    let encrypted = authority.serve(false, |_| ());
    let plain = authority.home.serve(&["--storage", "memory:"]);
    for (serving, from, to, code) in
        [(&encrypted, "https://", "http://", "not_http"), (&plain, "http://", "https://", "not_tls")]
    {
        let wrong = serving.public.replace(from, to);
        let finished = authority.home.run(&["--json", "--ca-file", &authority.ca, "--server", &wrong, "status", ID]);
        assert_eq!(finished.exit, 8, "{}", String::from_utf8_lossy(&finished.stdout));
        let error = &finished.json()["error"];
        assert_eq!(error["code"], code, "{error}");
        assert_eq!(error["retryable"], false);
        assert!(error["message"].as_str().unwrap().starts_with(&format!("{wrong} does not speak")), "{error}");
        assert!(error["hint"].as_str().unwrap().ends_with(&serving.public), "{error}");
    }
}

#[test]
fn unreachable_servers_are_told_apart() {
    let home = Home::new();
    let check_error = |server: &str, words: &str, hint: &str| {
        let finished = home.run(&["--timeout", "2s", "--server", server, "status", ID]);
        finished.expect_failure(8, words);
        assert!(finished.stderr.contains(hint), "{hint:?} is not in {}", finished.stderr);
    };
    check_error("https://127.0.0.1:1", "cannot reach https://127.0.0.1:1: connection refused", "port");
    check_error("https://send.invalid", "the host name of https://send.invalid cannot be resolved", "spelling");
}

#[test]
fn doctor_says_when_a_certificate_expires() {
    let authority = Authority::new();
    for (lifetime, rest, verdict, words) in [
        (90, 60, "ok", "expires in 5"),
        (90, 10, "warning", "should have been renewed"),
        (6, 3, "ok", "expires in 2 days"),
    ] {
        let serving = authority.serve(false, |params| {
            params.not_after = OffsetDateTime::now_utc() + Duration::days(rest);
            params.not_before = params.not_after - Duration::days(lifetime);
        });
        let doctor = ["--json", "--ca-file", &authority.ca, "--server", &serving.public, "doctor"];
        let json = authority.home.run(&doctor).json();
        let checks = json["checks"].as_array().unwrap();
        let check = checks.iter().find(|check| check["name"] == "certificate").unwrap_or_else(|| panic!("{json}"));
        assert_eq!(check["verdict"], verdict, "{check}");
        assert!(check["detail"].as_str().unwrap().contains(words), "{check}");
    }
}
