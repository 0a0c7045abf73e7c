//! Proxies of the environment: SOCKS and HTTP proxies, exempt servers, and proxies that fail.

use std::io::{Read, Write};
use std::net::TcpListener;

use crate::support::stub::{Plan, Terms};
use crate::support::{FinishedCommand, Home, SOCKS_LOGIN, ServerProcess, SocksProxy};

/// Id of a transfer that does not exist.
const ID: &str = "01890a5dac96774bbcceb302099a8057";

fn run(home: &Home, variables: &[(&str, &str)], arguments: &[&str]) -> FinishedCommand {
    let mut command = home.sgsend(arguments);
    FinishedCommand::of(command.envs(variables.iter().copied()).output().unwrap())
}

/// Starts a server, and returns it with a sender token.
fn serve(home: &Home) -> (ServerProcess, String) {
    let serving = home.serve(&["--storage", "memory:"]);
    let token = home.run_at(&serving, &["token", "create", "x"]).text();
    (serving, token)
}

/// Starts a proxy that responds to each request with `response`, and returns its address.
fn start_fixed_response_proxy(response: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        for mut client in listener.incoming().map_while(Result::ok) {
            let mut request = [0; 4096];
            if client.read(&mut request).is_ok_and(|length| length > 0) {
                drop(client.write_all(response.as_bytes()));
            }
        }
    });
    address
}

#[test]
fn uploads_and_downloads_pass_a_socks_proxy() {
    let home = Home::new();
    let (serving, token) = serve(&home);
    let file = home.file("a.bin", &vec![7; 3_000_000]);
    // With socks5h the proxy resolves names; with socks5 it receives addresses.
    for (scheme, host) in [("socks5h", "send.example"), ("socks5", "192.0.2.7"), ("socks", "192.0.2.7")] {
        let proxy = SocksProxy::to(&[(&format!("{host}:80"), &serving.public)]);
        let (url, server) = (format!("{scheme}://{SOCKS_LOGIN}@{}", proxy.address), format!("http://{host}"));
        let variables =
            [("ALL_PROXY", url.as_str()), ("SGSEND_SERVER", server.as_str()), ("SGSEND_TOKEN", token.as_str())];
        let uploaded = run(&home, &variables, &["--insecure-http", "upload", &file, "--json"]);
        assert_eq!(uploaded.exit, 0, "{}", String::from_utf8_lossy(&uploaded.stdout));
        let link = uploaded.json()["link"].as_str().unwrap().replace(&serving.public, &server);
        let downloaded = run(&home, &variables, &["--insecure-http", "download", &link, "-o", "b.bin", "--overwrite"]);
        downloaded.text();
        assert!(std::fs::read(home.path().join("b.bin")).unwrap() == vec![7; 3_000_000]);
        let requested = proxy.requested();
        assert!(requested.len() >= 2 && requested.iter().all(|to| *to == format!("{host}:80")), "{requested:?}");
    }
}

#[test]
fn requests_to_a_payload_store_pass_the_proxy() {
    let home = Home::new();
    let stub = Plan::on(Terms { fallback: false, ..Terms::default() }).start();
    let proxy = SocksProxy::to(&[("store.example:80", stub.store_url())]);
    stub.sign_for("http://store.example");
    let file = home.file("a.bin", &vec![7; 9_000_000]);
    let mut command = stub.command(&home, &["--insecure-http", "upload", &file, "--json"]);
    let url = format!("socks5h://{}", proxy.address);
    let finished = FinishedCommand::of(command.env("ALL_PROXY", &url).output().unwrap());
    assert_eq!(finished.exit, 0, "{}", String::from_utf8_lossy(&finished.stdout));
    assert!(proxy.requested().iter().all(|to| to == "store.example:80") && !proxy.requested().is_empty());
}

#[test]
fn exempt_servers_bypass_the_proxy() {
    let home = Home::new();
    let (serving, _) = serve(&home);
    let proxy = SocksProxy::to(&[("send.example:80", &serving.public)]);
    let url = format!("socks5h://{}", proxy.address);
    let server = ["--insecure-http", "--timeout", "2s", "--server", "http://send.example.invalid", "status", ID];
    for list in ["send.example.invalid", ".example.invalid", "a.example, invalid", "*", "send.example.invalid:80"] {
        for variable in ["NO_PROXY", "no_proxy"] {
            let finished = run(&home, &[("ALL_PROXY", &url), (variable, list)], &server);
            finished.expect_failure(8, "the host name of http://send.example.invalid cannot be resolved");
        }
    }
    assert_eq!(proxy.requested(), [""; 0]);
    let finished = run(&home, &[("all_proxy", &url), ("NO_PROXY", "send.example.invalid:81")], &server);
    finished.expect_failure(8, "does not connect to http://send.example.invalid");
    assert!(proxy.requested().contains(&"send.example.invalid:80".to_owned()));
    // Requests to this machine never leave it.
    run(&home, &[("ALL_PROXY", "http://127.0.0.1:1")], &["--server", &serving.public, "status", ID])
        .expect_failure(3, "");
}

#[test]
fn failing_proxies_are_named_without_their_passwords() {
    let home = Home::new();
    let socks = SocksProxy::to(&[]);
    let forbidding = start_fixed_response_proxy("HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n");
    let asking = start_fixed_response_proxy("HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n");
    let babbling = start_fixed_response_proxy("SSH-2.0-OpenSSH_9.2p1\r\n\r\n");
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let silent = silent.local_addr().unwrap().to_string();
    for (variable, scheme, proxy, server, words, hint) in [
        ("HTTPS_PROXY", "http", "127.0.0.1:1", "https://send.example", "cannot reach the proxy", "unset HTTPS_PROXY"),
        ("https_proxy", "http", "p.invalid:3128", "https://send.example", "cannot be resolved", "unset https_proxy"),
        ("http_proxy", "http", "127.0.0.1:1", "http://send.example", "cannot reach the proxy", "unset http_proxy"),
        ("ALL_PROXY", "socks5h", "127.0.0.1:1", "https://send.example", "refused (os error", "unset ALL_PROXY"),
        ("ALL_PROXY", "socks5h", &socks.address, "https://send.example", "password", "USER:PASSWORD"),
        ("ALL_PROXY", "socks5h", &babbling, "https://send.example", "does not respond like a proxy", "socks5h://"),
        ("HTTPS_PROXY", "http", &forbidding, "https://send.example", "does not connect to https://send", "NO_PROXY"),
        ("HTTPS_PROXY", "http", &asking, "https://send.example", "user name or password", "USER:PASSWORD"),
        ("HTTP_PROXY", "http", &asking, "http://send.example", "user name or password", "USER:PASSWORD"),
        ("HTTP_PROXY", "http", &babbling, "http://send.example", "does not respond like a proxy", "http://HOST"),
        ("HTTPS_PROXY", "http", &babbling, "https://send.example", "does not ", ""),
        ("HTTPS_PROXY", "http", &silent, "https://send.example", "no connection to https://send", "--timeout"),
    ] {
        let url = format!("{scheme}://you:5ecret@{proxy}");
        let arguments = ["--insecure-http", "--timeout", "1s", "--server", server, "status", ID];
        let finished = run(&home, &[(variable, &url)], &arguments);
        finished.expect_failure(8, words);
        assert!(finished.stderr.contains(&format!("{scheme}://{proxy} (from {variable})")), "{}", finished.stderr);
        assert!(finished.stderr.contains(hint), "{hint}: {}", finished.stderr);
        assert!(!finished.stderr.contains("5ecret"), "{}", finished.stderr);
    }
    let invalid =
        run(&home, &[("ALL_PROXY", "ftp://you:5ecret@p")], &["--server", "https://send.example", "status", ID]);
    invalid.expect_failure(2, "all_proxy does not contain the address of a supported proxy");
    assert!(!invalid.stderr.contains("5ecret"));
}

#[test]
fn doctor_names_the_proxy() {
    let home = Home::new();
    let doctor = |variables: &[(&str, &str)], server: &str| {
        let finished = run(&home, variables, &["--timeout", "1s", "--server", server, "doctor", "--json"]);
        let checks = finished.json()["checks"].as_array().unwrap().clone();
        let of = |name| checks.iter().find(|check| check["name"] == name).cloned().unwrap_or_default();
        (of("proxy"), of("server"))
    };
    let dead = [("HTTPS_PROXY", "http://me:5ecret@127.0.0.1:1"), ("NO_PROXY", "other.invalid")];
    let (proxy, server) = doctor(&dead, "https://send.example");
    assert_eq!(proxy["detail"], "requests to https://send.example go through http://127.0.0.1:1 (from HTTPS_PROXY)");
    assert_eq!(server["verdict"], "problem");
    let detail = server["detail"].as_str().unwrap();
    assert!(detail.starts_with("cannot reach the proxy http://127.0.0.1:1 (from HTTPS_PROXY)"), "{detail}");
    let (proxy, _) = doctor(&dead, "https://other.invalid");
    assert_eq!(proxy["detail"], "requests to https://other.invalid bypass the proxy, because of NO_PROXY");
    let (proxy, _) = doctor(&[("HTTPS_PROXY", "ftp://p")], "https://send.example");
    assert_eq!(proxy["verdict"], "problem");
    assert!(doctor(&[], "https://send.invalid").0.is_null());
}
