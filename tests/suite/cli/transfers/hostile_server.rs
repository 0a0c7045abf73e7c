//! Hostile servers: a command ends in an orderly way after any response.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::{FinishedCommand, Home, ServerProcess};

/// Starts a proxy to `target`, one request per connection, that passes each response through `change`.
fn start_editing_proxy(target: &str, change: impl Fn(&str, String) -> String + Send + Sync + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (target, change) = (target.trim_start_matches("http://").to_owned(), Arc::new(change));
    std::thread::spawn(move || {
        for client in listener.incoming().map_while(Result::ok) {
            let (target, change) = (target.clone(), change.clone());
            std::thread::spawn(move || pass(client, &target, &*change));
        }
    });
    url
}

fn pass(mut client: TcpStream, target: &str, change: &dyn Fn(&str, String) -> String) -> Option<()> {
    let mut request = Vec::new();
    let mut buffer = vec![0; 64 * 1024];
    let head = loop {
        let length = client.read(&mut buffer).ok().filter(|length| *length > 0)?;
        request.extend_from_slice(&buffer[..length]);
        if let Some(end) = memchr::memmem::find(&request, b"\r\n\r\n") {
            break end;
        }
    };
    let text = String::from_utf8_lossy(&request[..head]).to_lowercase();
    let length = text.lines().find_map(|line| line.strip_prefix("content-length: "));
    let whole = head + 4 + length.map_or(0, |length| length.parse().unwrap());
    while request.len() < whole {
        let length = client.read(&mut buffer).ok().filter(|length| *length > 0)?;
        request.extend_from_slice(&buffer[..length]);
    }
    let line = String::from_utf8_lossy(&request[..head]).lines().next()?.to_owned();
    let mut server = TcpStream::connect(target).ok()?;
    server.write_all(&request[..head]).ok()?;
    server.write_all(b"\r\nconnection: close").ok()?;
    server.write_all(&request[head..]).ok()?;
    let mut response = Vec::new();
    server.read_to_end(&mut response).ok()?;
    client.write_all(change(&line, String::from_utf8_lossy(&response).into_owned()).as_bytes()).ok()
}

fn respond(status: u16, body: &str) -> String {
    let length = body.len();
    format!(
        "HTTP/1.1 {status} X\r\ncontent-type: application/json\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
    )
}

/// Returns the response with its body changed by `edit`.
fn edit_body(response: &str, edit: impl Fn(&str) -> String) -> String {
    let (head, body) = response.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    respond(status, &edit(body))
}

/// Returns the JSON with one member set to another value.
fn with_member(json: &str, member: &str, value: Value) -> String {
    let mut object: Value = serde_json::from_str(json).unwrap();
    object[member] = value;
    object.to_string()
}

fn started() -> (Home, ServerProcess, String) {
    let home = Home::new();
    let serving = home.serve(&["--storage", "memory:"]);
    let token = home.run_at(&serving, &["token", "create", "test"]).text();
    let token = home.file("token", token.as_bytes());
    (home, serving, token)
}

fn upload(home: &Home, url: &str, token: &str, size: usize) -> FinishedCommand {
    let file = home.file("a.bin", &vec![5; size]);
    let finished = home.run(&["--server", url, "--token-file", token, "--timeout", "3s", "upload", &file]);
    let state = home.path().join(".local/state/sgsend/uploads");
    let remaining = std::fs::read_dir(state).map_or(0, Iterator::count);
    assert_eq!(remaining, 0, "the key of an ended upload is still stored");
    finished
}

/// Returns an error response with this code and the number of received bytes that the server claims.
fn error_response(code: &str, received: Option<u64>) -> String {
    let problem = serde_json::json!({"type": "x", "title": "x", "status": 409, "detail": "x", "code": code,
        "request_id": "x", "received_bytes": received});
    respond(409, &problem.to_string())
}

#[test]
fn a_claim_of_bytes_never_sent_is_rejected() {
    let (home, serving, token) = started();
    let finished = upload(&home, &start_early_error_proxy(&serving.public), &token, 40_000_000);
    finished.expect_failure(8, "bytes");
    assert!(finished.stderr.contains("report"), "{}", finished.stderr);
}

#[test]
fn a_size_that_grows_after_the_checks_is_rejected() {
    let (home, serving, token) = started();
    let link = upload(&home, &serving.public, &token, 1000).text();
    for size in [0_u64, 1 << 20, 1 << 45, u64::MAX] {
        let lies = start_editing_proxy(&serving.public, move |line, response| {
            if !line.contains("/download/create-presign-url") {
                return response;
            }
            edit_body(&response, |body| with_member(body, "size_bytes", size.into()))
        });
        let finished = home.run(&["download", &link.replace(&serving.public, &lies), "-o", "b.bin"]);
        finished.expect_failure(8, "the server reports an encrypted size of");
        assert!(!home.path().join("b.bin").exists());
    }
    // Nothing large was reserved for the claims.
    let state = home.path().join(".local/state/sgsend/downloads");
    let sizes = std::fs::read_dir(state).into_iter().flatten().map(|entry| entry.unwrap().metadata().unwrap().len());
    assert!(sizes.sum::<u64>() < 1 << 20);
}

/// Responds with an error as soon as the request head has arrived, and claims 30 MiB received.
fn start_early_error_proxy(target: &str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let target = target.trim_start_matches("http://").to_owned();
    std::thread::spawn(move || {
        for mut client in listener.incoming().map_while(Result::ok) {
            let target = target.clone();
            std::thread::spawn(move || {
                let mut head = [0; 4096];
                let length = client.peek(&mut head).unwrap_or_default();
                if !String::from_utf8_lossy(&head[..length]).contains("/upload-bytes") {
                    return pass(client, &target, &|_, finished| finished);
                }
                client.write_all(error_response("offset_mismatch", Some(30 << 20)).as_bytes()).ok()?;
                // Drains the connection, so that closing it doesn't discard the response.
                let mut rest = vec![0; 64 * 1024];
                client.set_read_timeout(Some(Duration::from_millis(300))).ok()?;
                while let Ok(1..) = client.read(&mut rest) {}
                Some(())
            });
        }
    });
    url
}

#[test]
fn repeated_useless_refusals_back_off() {
    let (home, serving, token) = started();
    for code in ["offset_mismatch", "upload_incomplete"] {
        let tries = Arc::new(AtomicUsize::new(0));
        let counter = tries.clone();
        let url = start_editing_proxy(&serving.public, move |line, finished| {
            if line.contains("/upload-bytes") {
                counter.fetch_add(1, Ordering::Relaxed);
                return error_response(code, None);
            }
            // Claims that nothing has arrived.
            if line.contains("/upload/status") {
                edit_body(&finished, |body| with_member(body, "received_bytes", 0.into()))
            } else {
                finished
            }
        });
        let began = Instant::now();
        let finished = upload(&home, &url, &token, 1_000);
        assert_ne!(finished.exit, 0);
        assert!(began.elapsed() < Duration::from_secs(20));
        let tries = tries.load(Ordering::Relaxed);
        assert!(tries < 20, "{code}: {tries} tries in three seconds");
    }
}

#[test]
fn one_byte_per_request_is_no_progress() {
    let (home, serving, token) = started();
    let tries = Arc::new(AtomicUsize::new(0));
    let counter = tries.clone();
    let url = start_editing_proxy(&serving.public, move |line, finished| {
        if line.contains("/upload-bytes") {
            let received = 1 + counter.fetch_add(1, Ordering::Relaxed);
            return edit_body(&finished, |body| with_member(body, "received_bytes", received.into()));
        }
        finished
    });
    let finished = upload(&home, &url, &token, 1_000_000);
    assert_eq!(finished.exit, 8, "{}", finished.stderr);
    let tries = tries.load(Ordering::Relaxed);
    assert!(tries < 20, "{tries} tries in three seconds");
}
