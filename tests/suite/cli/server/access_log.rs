//! Access lines in the log of a service.

use std::io::{PipeReader, Read, Write};
use std::net::TcpStream;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::{Home, ServerProcess};

const ADDRESS: &str = "203.0.113.77";

/// Sends a request without a body, and returns the response as text.
fn ask(service: &str, line: &str) -> String {
    let mut stream = TcpStream::connect(service.split_once("://").unwrap().1).unwrap();
    let head = format!("{line} HTTP/1.1\r\nhost: x\r\nx-forwarded-for: {ADDRESS}\r\nconnection: close\r\n\r\n");
    stream.write_all(head.as_bytes()).unwrap();
    let mut response = Vec::new();
    stream.read_to_end(&mut response).unwrap();
    String::from_utf8_lossy(&response).into_owned()
}

/// Returns the access lines of a log in JSON.
fn access_lines(log: &str) -> Vec<Value> {
    let lines = log.lines().map(|line| serde_json::from_str::<Value>(line).unwrap_or_else(|_| panic!("{line}")));
    lines.filter(|line| line["message"] == "request").collect()
}

fn line_of<'a>(lines: &'a [Value], route: &str) -> &'a Value {
    let mut found = lines.iter().filter(|line| line["route"] == route);
    let line = found.next().unwrap_or_else(|| panic!("no line of {route}: {lines:#?}"));
    assert!(found.next().is_none(), "two lines of {route}: {lines:#?}");
    line
}

fn start(home: &Home, arguments: &[&str]) -> ServerProcess {
    let store = format!("file:{}", home.path().join("store").display());
    let server = home.server().storage(&store).arguments(&["--log-format", "json", "--trusted-proxy", "127.0.0.1"]);
    server.arguments(arguments).start()
}

/// Uploads 5 bytes without an access proof, and returns the id of the transfer.
fn upload(home: &Home, serving: &ServerProcess) -> String {
    home.log_in(serving);
    let link = home.run_at(serving, &["upload", &home.file("a.txt", b"hello"), "--notify", "never"]).text();
    link.split("/d/").nth(1).unwrap().split('#').next().unwrap().to_owned()
}

#[test]
fn each_request_has_one_line_without_ids_and_addresses() {
    let home = Home::new();
    let serving = start(&home, &[]);
    let id = upload(&home, &serving);
    let status = ask(&serving.public, &format!("GET /transfers/id/{id}/status?canary=query"));
    assert!(status.starts_with("HTTP/1.1 200 "), "{status}");
    let bytes = ask(&serving.public, &format!("GET /transfers/id/{id}/payload/download-bytes"));
    ask(&serving.public, "HEAD /health");
    ask(&serving.public, "GET /canary-path");
    ask(&serving.admin, "GET /tokens/list");
    let log = serving.terminate();
    let lines = access_lines(&log);

    let line = line_of(&lines, "/transfers/id/{transfer_id}/status");
    let header = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).unwrap().trim().to_owned();
    assert_eq!(line["request_id"], header("x-request-id:"));
    assert_eq!(line["bytes_out"].as_u64().unwrap().to_string(), header("content-length:"));
    assert_eq!((&line["level"], &line["service"], &line["method"]), (&"INFO".into(), &"public".into(), &"GET".into()));
    assert_eq!((&line["status"], &line["bytes_in"]), (&200.into(), &0.into()));
    assert!(line["duration_ms"].as_f64().is_some_and(|duration| duration > 0.0), "{line}");
    let line = line_of(&lines, "/transfers/id/{transfer_id}/payload/upload-bytes");
    assert!(line["bytes_in"].as_u64().is_some_and(|bytes| bytes > 5), "{line}");
    let download = line_of(&lines, "/transfers/id/{transfer_id}/payload/download-bytes");
    let body = bytes.split_once("\r\n\r\n").unwrap().1;
    assert!(download["bytes_out"].as_u64().is_some_and(|sent| sent > 0) && !body.is_empty(), "{download}: {bytes}");
    let line = lines.iter().find(|line| line["method"] == "HEAD").unwrap();
    assert_eq!(line["route"], "/health");
    assert_eq!((&line["method"], &line["bytes_out"], &line["aborted"]), (&"HEAD".into(), &0.into(), &Value::Null));
    let line = line_of(&lines, "none");
    assert_eq!((&line["status"], &line["code"]), (&404.into(), &"route_not_found".into()));
    let line = lines.iter().rfind(|line| line["route"] == "/tokens/list").unwrap();
    assert_eq!((&line["service"], &line["code"]), (&"admin".into(), &"admin_key_invalid".into()));
    assert!(lines.iter().all(|line| line["aborted"].is_null()), "{lines:#?}");
    for canary in [&id, ADDRESS, "203.0.113", "canary", "sgs_"] {
        assert!(!log.contains(canary), "{canary} is in the log: {log}");
    }
}

#[test]
fn a_client_that_leaves_a_download_is_named_aborted() {
    let home = Home::new();
    let serving = start(&home, &[]);
    home.log_in(&serving);
    let printed =
        home.run_at(&serving, &["upload", &home.file("large", &vec![7; 32 << 20]), "--notify", "never"]).text();
    let id = printed.split("/d/").nth(1).unwrap().split('#').next().unwrap();
    let mut stream = TcpStream::connect(serving.public.split_once("://").unwrap().1).unwrap();
    let request = format!("GET /transfers/id/{id}/payload/download-bytes HTTP/1.1\r\nhost: x\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    stream.read_exact(&mut vec![0; 1 << 16]).unwrap();
    drop(stream);
    let lines = access_lines(&serving.terminate());
    let line = line_of(&lines, "/transfers/id/{transfer_id}/payload/download-bytes");
    assert_eq!((&line["status"], &line["aborted"]), (&200.into(), &true.into()));
    assert!(line["bytes_out"].as_u64().is_some_and(|sent| (1 << 15..32 << 20).contains(&sent)), "{line}");
}

#[test]
fn ids_are_logged_on_request_and_addresses_as_in_the_records() {
    let home = Home::new();
    let serving = start(&home, &["--log-ids"]);
    let id = upload(&home, &serving);
    ask(&serving.public, &format!("GET /transfers/id/{id}/status?canary=query"));
    let log = serving.terminate();
    let lines = access_lines(&log);
    let line = line_of(&lines, "/transfers/id/{transfer_id}/status");
    assert_eq!((&line["transfer_id"], &line["token_id"]), (&id.as_str().into(), &Value::Null));
    assert_eq!(line["client"].as_str().map(str::len), Some(16), "no pseudonym: {line}");
    assert!(line["client_epoch"].is_string(), "{line}");
    let create = line_of(&lines, "/transfers/create");
    assert!(create["token_id"].is_string() && create["transfer_id"] == id.as_str(), "{create}");
    for canary in [ADDRESS, "203.0.113", "canary", "sgs_"] {
        assert!(!log.contains(canary), "{canary} is in the log: {log}");
    }
}

#[test]
fn lines_in_text_have_the_same_members_and_a_target_of_their_own() {
    let home = Home::new();
    let store = format!("file:{}", home.path().join("store").display());
    let log = |filter: &str| {
        let serving = home.server().storage(&store).env("SGSEND_LOG", filter).start();
        ask(&serving.public, "GET /health");
        serving.terminate()
    };
    let shown = log("warn,sgsend=info");
    let line = shown.lines().find(|line| line.contains("route=\"/health\"")).unwrap_or_else(|| panic!("{shown}"));
    for part in ["INFO request ", "request_id=", "service=\"public\"", "method=\"GET\"", "status=200", "duration_ms="] {
        assert!(line.contains(part), "{part}: {line}");
    }
    assert!(!line.contains("aborted") && !line.contains("transfer_id"), "{line}");
    assert!(!log("warn,sgsend=info,sgsend::access=off").contains("/health"));
}

/// Returns the resident memory of a process, in bytes.
fn resident_bytes(id: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{id}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() << 10
}

fn dropped_lines(metrics: &str) -> u64 {
    let line = metrics.lines().find_map(|line| line.strip_prefix("sgsend_log_lines_dropped_total "));
    line.unwrap_or_else(|| panic!("no metric: {metrics}")).parse().unwrap()
}

/// Reads until `text` was read.
fn read_until(mut log: PipeReader, text: &str) {
    let (mut read, mut block) = (Vec::new(), vec![0; 1 << 16]);
    while memchr::memmem::find(&read, text.as_bytes()).is_none() {
        let count = log.read(&mut block).unwrap();
        assert!(count > 0, "the log ends without {text:?}");
        read.drain(..read.len().saturating_sub(text.len()));
        read.extend_from_slice(&block[..count]);
    }
}

#[test]
fn a_log_that_nobody_reads_blocks_no_request_and_uses_bounded_memory() {
    let home = Home::new();
    let (reader, writer) = std::io::pipe().unwrap();
    let store = format!("file:{}", home.path().join("store").display());
    // More lines per request fill the queue sooner.
    let server = home.server().storage(&store).env("SGSEND_LOG", "trace").log_to(OwnedFd::from(writer).into());
    let serving = server.arguments(&["--metrics-listen", "127.0.0.1:0"]).start();
    let scrape = || ask(serving.metrics.trim_end_matches("/metrics"), "GET /metrics");
    let (began, mut requests) = (Instant::now(), 0);
    while dropped_lines(&scrape()) < 1_000 {
        for _ in 0..50 {
            assert!(ask(&serving.public, "GET /health").starts_with("HTTP/1.1 200 "));
            requests += 1;
        }
        assert!(began.elapsed() < Duration::from_mins(1), "nothing was dropped after {requests} requests");
    }
    let before = resident_bytes(serving.id());
    for _ in 0..500 {
        assert!(ask(&serving.public, "GET /health").starts_with("HTTP/1.1 200 "));
    }
    let grown = resident_bytes(serving.id()).saturating_sub(before);
    assert!(grown < 16 << 20, "{grown} bytes more for lines that nobody reads");
    read_until(reader, "log lines were dropped");
}
