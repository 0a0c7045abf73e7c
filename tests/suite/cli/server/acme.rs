//! Certificates that a service obtains and renews itself, from a real ACME server.

use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use rcgen::{CertificateParams, KeyPair};
use reqwest::Client;
use serde_json::Value;
use time::{Duration, OffsetDateTime};

use crate::support::{ADMIN_KEY, AcmeServer, ConnectProxy, Home, ServerBuilder, ServerProcess, eventually};

/// Domains of the certificates.
const DOMAINS: [&str; 2] = ["send.example.org", "files.example.org"];

/// Starts both services with a certificate for `domains`. The public service listens where the ACME server connects to.
fn serve(home: &Home, acme: &AcmeServer, domains: &[&str]) -> ServerProcess {
    server(home, acme, domains).listen(&acme.validated.to_string()).start()
}

/// Returns a server with a certificate for `domains`, which listens at a free port.
fn server(home: &Home, acme: &AcmeServer, domains: &[&str]) -> ServerBuilder {
    let arguments = [
        "--storage",
        &format!("file:{}", home.path().join("store").display()),
        "--acme-domain",
        &domains.join(","),
        "--acme-directory",
        &acme.directory,
        "--acme-contact",
        "admin@example.org",
        "--ca-file",
        &acme.ca_file,
    ];
    home.server().arguments(&arguments).admin_key()
}

/// Returns a client that trusts only this root, and connects to `address` for all domains.
fn client(root: &str, address: SocketAddr) -> Client {
    let root = reqwest::Certificate::from_pem(root.as_bytes()).unwrap();
    let builder = Client::builder().no_proxy().tls_certs_only([root]);
    DOMAINS.iter().fold(builder, |builder, domain| builder.resolve(domain, address)).build().unwrap()
}

/// Returns whether the service at `address` has a certificate of this root for `domain`.
async fn is_trusted(root: &str, address: SocketAddr, domain: &str) -> bool {
    let health = client(root, address).get(format!("https://{domain}:{}/health", address.port())).send().await;
    health.is_ok_and(|response| response.status().is_success())
}

/// Waits until the service has a certificate of this ACME server.
async fn wait_for_certificate(root: &str, acme: &AcmeServer, domain: &str) {
    eventually(|| async { is_trusted(root, acme.validated, domain).await.then_some(()) }).await;
}

/// Returns a metric; `None` if it is absent.
async fn metric(serving: &ServerProcess, name: &str) -> Option<u64> {
    let request = Client::builder().no_proxy().build().unwrap().get(format!("{}/metrics", serving.admin));
    let text = request.header("x-api-key", ADMIN_KEY).send().await.unwrap().text().await.unwrap();
    text.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok())
}

/// Waits until an order has failed.
async fn wait_for_failure(serving: &ServerProcess) {
    let failures = || metric(serving, "sgsend_acme_order_failures");
    eventually(|| async { failures().await.filter(|failures| *failures > 0) }).await;
}

/// Returns the file of the certificate in the cache, which is in the store's folder.
fn cached(home: &Home, acme: &AcmeServer) -> PathBuf {
    let port = acme.directory.split(['/', ':']).nth(4).unwrap();
    home.path().join(format!("store/acme/localhost_{port}_dir/send.example.org.pem"))
}

/// Replaces the certificate of the cache by one that is due for renewal; returns it.
fn put_old_certificate(file: &Path) -> String {
    let mut params = CertificateParams::new(DOMAINS.map(ToOwned::to_owned)).unwrap();
    let now = OffsetDateTime::now_utc();
    (params.not_before, params.not_after) = (now - Duration::days(70), now + Duration::days(20));
    let key = KeyPair::generate().unwrap();
    let certificate = params.self_signed(&key).unwrap();
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::write(file, format!("{}{}", key.serialize_pem(), certificate.pem())).unwrap();
    certificate.pem()
}

#[tokio::test]
async fn a_certificate_is_obtained_once_and_shared() {
    let Some(acme) = AcmeServer::start() else { return };
    let (home, root) = (Home::new(), acme.root().await);
    let serving = serve(&home, &acme, &DOMAINS);
    for domain in DOMAINS {
        wait_for_certificate(&root, &acme, domain).await;
    }
    let issued = || metric(&serving, "sgsend_acme_orders_total{result=\"issued\"}");
    assert_eq!(eventually(issued).await, 1);
    assert_eq!(metric(&serving, "sgsend_acme_order_failures").await, Some(0));
    assert!(metric(&serving, "sgsend_tls_certificate_expiry_timestamp_seconds").await.is_some());
    let certificate = cached(&home, &acme);
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&certificate), mode(&certificate.with_file_name("account.json"))), (0o600, 0o600));
    assert_eq!(mode(certificate.parent().unwrap()), 0o700);

    // An admin service uses the certificate, also where it cannot write the cache.
    let admin = server(&home, &acme, &DOMAINS).only("admin").start();
    let address = admin.admin.trim_start_matches("https://").parse().unwrap();
    assert!(is_trusted(&root, address, "files.example.org").await, "{}", admin.admin);
    drop(admin);

    // A restarted service needs no ACME server.
    let log = serving.terminate();
    assert!(
        log.contains("the ACME cache has no certificate yet") && log.contains("obtained a TLS certificate"),
        "{log}"
    );
    let before = fs::read_to_string(&certificate).unwrap();
    let (validated, again) = (acme.validated, server(&home, &acme, &DOMAINS).listen(&acme.validated.to_string()));
    drop(acme);
    let serving = again.start();
    assert!(is_trusted(&root, validated, "send.example.org").await);
    assert_eq!(metric(&serving, "sgsend_acme_orders_total{result=\"failed\"}").await, None);
    assert_eq!(fs::read_to_string(&certificate).unwrap(), before);
}

#[tokio::test]
async fn a_due_certificate_stays_in_use_until_it_is_renewed() {
    let Some(mut acme) = AcmeServer::start() else { return };
    let home = Home::new();
    let file = cached(&home, &acme);
    let first = put_old_certificate(&file);
    acme.stop();
    let serving = serve(&home, &acme, &DOMAINS);
    assert!(is_trusted(&first, acme.validated, "send.example.org").await);
    wait_for_failure(&serving).await;
    assert!(is_trusted(&first, acme.validated, "send.example.org").await);

    // The operator mends the cause, and asks for an order.
    acme.restart();
    let root = acme.root().await;
    serving.signal("HUP");
    wait_for_certificate(&root, &acme, "send.example.org").await;
    // The order is counted after its certificate is used.
    let failures = || metric(&serving, "sgsend_acme_order_failures");
    eventually(|| async { failures().await.filter(|failures| *failures == 0) }).await;
    let log = serving.terminate();
    assert!(log.contains("cannot obtain a TLS certificate, the last one stays in use"), "{log}");
    assert!(log.contains("retry_in_s=60"), "{log}");

    // The ACME server has forgotten the account: another one is created.
    let account = file.with_file_name("account.json");
    let id = || serde_json::from_slice::<Value>(&fs::read(&account).unwrap()).unwrap()["credentials"]["id"].clone();
    let old_account = id();
    acme.stop();
    acme.restart();
    let root = acme.root().await;
    let second = put_old_certificate(&file);
    let serving = serve(&home, &acme, &DOMAINS);
    serving.signal("HUP");
    wait_for_failure(&serving).await;
    assert!(is_trusted(&second, acme.validated, "send.example.org").await);
    serving.signal("HUP");
    wait_for_certificate(&root, &acme, "send.example.org").await;
    assert_ne!(id(), old_account);
}

#[tokio::test]
async fn connections_are_refused_without_a_certificate_and_the_log_says_why() {
    let Some(acme) = AcmeServer::start() else { return };
    let home = Home::new();
    // Validations do not reach this service.
    let serving = server(&home, &acme, &DOMAINS[..1]).start();
    let doctor = home.run(&["--server", &serving.public, "doctor", "--json"]);
    assert!(String::from_utf8_lossy(&doctor.stdout).contains("TLS"), "{}", String::from_utf8_lossy(&doctor.stdout));
    wait_for_failure(&serving).await;
    assert_eq!(metric(&serving, "sgsend_tls_certificate_expiry_timestamp_seconds").await, None);
    let log = serving.terminate();
    let reason =
        "cannot obtain a TLS certificate, there is none yet error=the ACME server could not validate send.example.org";
    assert!(log.contains(reason), "{log}");
    assert!(log.contains("for the tls-alpn-01 challenge (urn:ietf:params:acme:error:"), "{log}");
}

#[tokio::test]
async fn an_added_domain_needs_another_certificate() {
    let Some(acme) = AcmeServer::start() else { return };
    let (home, root) = (Home::new(), acme.root().await);
    let serving = serve(&home, &acme, &DOMAINS[..1]);
    wait_for_certificate(&root, &acme, DOMAINS[0]).await;
    serving.terminate();
    let serving = serve(&home, &acme, &DOMAINS);
    assert!(
        is_trusted(&root, acme.validated, DOMAINS[0]).await && !is_trusted(&root, acme.validated, DOMAINS[1]).await
    );
    // An order within a minute needs the operator's request.
    serving.signal("HUP");
    wait_for_certificate(&root, &acme, DOMAINS[1]).await;
    assert!(is_trusted(&root, acme.validated, DOMAINS[0]).await);
}

#[tokio::test]
async fn a_cache_that_cannot_be_written_is_reported() {
    let Some(acme) = AcmeServer::start() else { return };
    let home = Home::new();
    let file = home.file("cache", b"a file where the folder should be");
    let serving = server(&home, &acme, &DOMAINS).arguments(&["--acme-cache", &file]).start();
    wait_for_failure(&serving).await;
    let log = serving.terminate();
    assert!(log.contains("cannot write in the ACME cache"), "{log}");
}

#[tokio::test]
async fn any_process_over_the_cache_answers_validations() {
    let Some(acme) = AcmeServer::start() else { return };
    let (home, root) = (Home::new(), acme.root().await);
    // Validations reach the admin service, which does not order.
    let admin = server(&home, &acme, &DOMAINS).only("admin").listen(&acme.validated.to_string()).start();
    let public = server(&home, &acme, &DOMAINS).only("public").start();
    let address = public.public.trim_start_matches("https://").parse().unwrap();
    let trusted = || async { is_trusted(&root, address, DOMAINS[1]).await.then_some(()) };
    eventually(trusted).await;
    // The admin service loads the certificate within 10 s.
    wait_for_certificate(&root, &acme, DOMAINS[0]).await;
    let left = fs::read_dir(cached(&home, &acme).parent().unwrap()).unwrap();
    let left: Vec<_> = left.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    assert!(!left.iter().any(|name| name.starts_with(".challenge-")), "{left:?}");
    let log = public.terminate();
    assert!(!log.contains("cannot obtain"), "{log}");
    drop(admin);
}

#[tokio::test]
async fn services_that_start_together_make_one_order() {
    let Some(acme) = AcmeServer::start() else { return };
    let (home, root) = (Home::new(), acme.root().await);
    let first = server(&home, &acme, &DOMAINS).listen(&acme.validated.to_string());
    let services = std::thread::scope(|scope| {
        let first = scope.spawn(|| first.start());
        let second = scope.spawn(|| server(&home, &acme, &DOMAINS).start());
        [first.join().unwrap(), second.join().unwrap()]
    });
    for service in &services {
        let address = service.public.trim_start_matches("https://").parse().unwrap();
        eventually(|| async { is_trusted(&root, address, DOMAINS[0]).await.then_some(()) }).await;
    }
    let mut orders = Vec::new();
    for service in &services {
        let issued = metric(service, "sgsend_acme_orders_total{result=\"issued\"}").await.unwrap_or(0);
        let failed = metric(service, "sgsend_acme_orders_total{result=\"failed\"}").await.unwrap_or(0);
        orders.push((issued, failed));
    }
    orders.sort_unstable();
    assert_eq!(orders, [(0, 0), (1, 0)]);
}

#[tokio::test]
async fn orders_go_through_the_proxy() {
    let Some(acme) = AcmeServer::start() else { return };
    let (home, root) = (Home::new(), acme.root().await);
    let proxy = ConnectProxy::start();
    let serving =
        server(&home, &acme, &DOMAINS[..1]).listen(&acme.validated.to_string()).env("HTTPS_PROXY", &proxy.url).start();
    wait_for_certificate(&root, &acme, DOMAINS[0]).await;
    let requested = proxy.requested();
    let api = acme.directory.split('/').nth(2).unwrap();
    assert!(!requested.is_empty() && requested.iter().all(|target| target == api), "{requested:?}");
    drop(serving);
}
