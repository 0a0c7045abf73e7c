//! TLS between two machines.

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};

use crate::support::Home;

#[test]
fn a_transfer_works_over_tls_with_a_private_ca() {
    let home = Home::new();
    let mut authority = CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
    let certificate = CertificateParams::new(names).unwrap().signed_by(&key, &authority).unwrap();
    let ca = home.file("ca.pem", authority.pem().as_bytes());
    let cert = home.file("cert.pem", certificate.pem().as_bytes());
    let key = home.file("key.pem", key.serialize_pem().as_bytes());
    let serving = home.serve_any(&["--tls-cert", &cert, "--tls-key", &key]);
    // The certificate names the public service, so a loopback admin service of the same process needs none.
    assert!(serving.public.starts_with("https://127.0.0.1:") && serving.admin.starts_with("http://127.0.0.1:"));

    home.run_at(&serving, &["token", "create", "x", "--login"]).text();
    let file = home.file("a.bin", &vec![9; 12_000_000]);
    let link = home.run_at(&serving, &["--ca-file", &ca, "upload", &file]).text();
    assert!(link.starts_with("https://"));
    home.run(&["--ca-file", &ca, "download", &link, "-o", "back.bin"]).text();
    assert!(std::fs::read(home.path().join("back.bin")).unwrap() == vec![9; 12_000_000]);
    home.run(&["--timeout", "1s", "download", &link, "-o", "other.bin"]).expect_failure(8, "");

    // An admin service of its own uses the certificate.
    let store = format!("file:{}", home.path().join("store").display());
    let arguments = ["--storage", &store, "--tls-cert", &cert, "--tls-key", &key];
    let alone = home.serve_one("admin", &arguments);
    assert!(alone.admin.starts_with("https://127.0.0.1:"));
    home.run(&["--admin-server", &alone.admin, "--ca-file", &ca, "token", "list"]).text();
}
