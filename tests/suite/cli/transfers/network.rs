//! Lost responses, and servers that redirect to other hosts.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use crate::support::{Home, content};

/// Starts a proxy to `target` that drops the response to the first request to each of `routes`.
fn start_lossy_proxy(target: &str, routes: &[&str]) -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let to_lose: Arc<Mutex<Vec<String>>> =
        Arc::new(Mutex::new(routes.iter().map(|route| (*route).to_owned()).collect()));
    let (target, left) = (target.trim_start_matches("http://").to_owned(), to_lose.clone());
    std::thread::spawn(move || {
        for client in listener.incoming().map_while(Result::ok) {
            let server = TcpStream::connect(&target).unwrap();
            let loses = Arc::new(Mutex::new(false));
            pass_requests(client.try_clone().unwrap(), server.try_clone().unwrap(), to_lose.clone(), loses.clone());
            pass_responses(server, client, loses);
        }
    });
    (url, left)
}

fn pass_requests(mut from: TcpStream, mut to: TcpStream, to_lose: Arc<Mutex<Vec<String>>>, loses: Arc<Mutex<bool>>) {
    std::thread::spawn(move || {
        let mut buffer = vec![0; 64 * 1024];
        while let Ok(length @ 1..) = from.read(&mut buffer) {
            let head = String::from_utf8_lossy(&buffer[..length.min(300)]).into_owned();
            let mut routes = to_lose.lock().unwrap();
            if let Some(at) =
                routes.iter().position(|route| head.lines().next().is_some_and(|line| line.contains(route)))
            {
                routes.remove(at);
                *loses.lock().unwrap() = true;
            }
            drop(routes);
            if to.write_all(&buffer[..length]).is_err() {
                break;
            }
        }
        // The peer may have closed its side already.
        let _ = to.shutdown(Shutdown::Write);
    });
}

fn pass_responses(mut from: TcpStream, mut to: TcpStream, loses: Arc<Mutex<bool>>) {
    std::thread::spawn(move || {
        let mut buffer = vec![0; 64 * 1024];
        while let Ok(length @ 1..) = from.read(&mut buffer) {
            if *loses.lock().unwrap() || to.write_all(&buffer[..length]).is_err() {
                break;
            }
        }
        let _ = to.shutdown(Shutdown::Both);
        let _ = from.shutdown(Shutdown::Both);
    });
}

#[test]
fn a_lost_response_to_any_call_is_harmless() {
    let home = Home::new();
    let serving = home.serve(&["--storage", "memory:"]);
    home.log_in(&serving);
    let token = std::fs::read_to_string(home.path().join(".config/sgsend/config.toml")).unwrap();
    let token =
        token.lines().find_map(|line| line.strip_prefix("token = \"")).unwrap().trim_end_matches('"').to_owned();
    let token = home.file("token", token.as_bytes());
    let routes = ["/transfers/create", "/payload/upload-bytes", "/upload/complete", "/download/create-presign-url"];
    let (url, left) = start_lossy_proxy(&serving.public, &routes);
    let file = home.file("a.bin", &vec![5; 2_500_000]);
    let uploaded = home.run(&["--server", &url, "--token-file", &token, "upload", &file, "-d", "2", "--json"]);
    assert_eq!(uploaded.exit, 0, "{} {}", uploaded.stderr, String::from_utf8_lossy(&uploaded.stdout));
    let link = uploaded.json()["link"].as_str().unwrap().to_owned();
    home.run(&["download", &link, "-o", "b.bin"]).text();
    assert!(std::fs::read(home.path().join("b.bin")).unwrap() == vec![5; 2_500_000]);
    assert_eq!(*left.lock().unwrap(), [""; 0], "some responses were never dropped");

    let status = home.run(&["status", &link, "--json"]).json();
    assert_eq!((status["download_count"].as_u64(), status["downloads_remaining"].as_u64()), (Some(1), Some(1)));
    let overview = home.run_at(&serving, &["stats", "--json"]).json();
    assert_eq!(overview["days"][29]["created"], 1);
    assert_eq!(overview["days"][29]["completed"], 1);
    assert_eq!(overview["bytes_stored"], status["size_bytes"]);
}

#[test]
fn a_download_resumes_after_a_drop_under_the_same_grant() {
    let home = Home::new();
    let serving = home.serve(&["--storage", "memory:"]);
    home.log_in(&serving);
    let content = content(7_000_000);
    let file = home.file("a.bin", &content);
    let link = home.run_at(&serving, &["upload", &file, "-d", "1"]).text();
    let (url, left) = start_lossy_proxy(&serving.public, &["GET /transfers/id/"]);
    // The first GET reads the status, so its response is dropped too.
    let through = link.replace(&serving.public, &url);
    home.run(&["download", &through, "-o", "b.bin"]).text();
    assert!(std::fs::read(home.path().join("b.bin")).unwrap() == content);
    assert!(left.lock().unwrap().is_empty());
}

#[test]
fn redirects_are_not_followed_and_leak_no_secret() {
    let home = Home::new();
    let elsewhere = TcpListener::bind("127.0.0.1:0").unwrap();
    elsewhere.set_nonblocking(true).unwrap();
    let target = elsewhere.local_addr().unwrap();
    let redirecting = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", redirecting.local_addr().unwrap());
    std::thread::spawn(move || {
        for mut client in redirecting.incoming().map_while(Result::ok) {
            let mut head = [0; 4096];
            let _ = client.read(&mut head);
            let answer = format!(
                "HTTP/1.1 307 Temporary Redirect\r\nlocation: http://{target}/\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
            );
            let _ = client.write_all(answer.as_bytes());
        }
    });
    let token = format!("sgs_{}_{}", "0".repeat(16), "0".repeat(64));
    let file = home.file("a.txt", b"hello");
    home.run(&["--server", &url, "--token", &token, "upload", &file, "--timeout", "2s"]).expect_failure(8, "redirect");
    assert!(elsewhere.accept().is_err(), "a redirect was followed");
}

#[test]
fn a_saved_token_goes_only_to_its_server() {
    let home = Home::new();
    let mine = home.serve(&["--storage", "memory:"]);
    home.log_in(&mine);
    let file = home.file("a.txt", b"hello");
    let link = home.run_at(&mine, &["upload", &file]).text();
    // The same transfer under the URL of another server.
    let (url, heard) = start_silent_listener();
    let foreign = link.replace(&mine.public, &url);
    for arguments in [&["delete", &foreign][..], &["--server", &url, "upload", &file]] {
        let finished = home.run(&[&["--timeout", "2s"], arguments].concat());
        let heard = String::from_utf8_lossy(&heard.lock().unwrap()).into_owned();
        assert_eq!(heard, "", "{arguments:?} sent bytes to the other server");
        assert_eq!(finished.exit, 5, "{arguments:?}: {}", finished.stderr);
    }
    // Commands that need no token contact the other server, but don't send the token.
    home.run(&["--timeout", "2s", "status", &foreign]).expect_failure(8, "");
    let heard = String::from_utf8_lossy(&heard.lock().unwrap()).to_lowercase();
    assert!(heard.starts_with("get /"), "no request was recorded: {heard}");
    assert!(!heard.contains("sgs_") && !heard.contains("authorization"), "{heard}");
    home.run(&["delete", &link]).text();
}

#[test]
fn a_token_from_the_environment_goes_only_to_its_server() {
    let home = Home::new();
    let serving = home.serve(&["--storage", "memory:"]);
    let token = home.run_at(&serving, &["token", "create", "x"]).text();
    let (url, heard) = start_silent_listener();
    let mut login = home.sgsend(&["login", &url, "--no-input", "--timeout", "2s"]);
    let output = login.env("SGSEND_SERVER", &serving.public).env("SGSEND_TOKEN", &token).output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(heard.lock().unwrap().len(), 0, "bytes were sent to the other server");
    let mut login = home.sgsend(&["login", &serving.public, "--no-input"]);
    let output = login.env("SGSEND_SERVER", &serving.public).env("SGSEND_TOKEN", &token).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// Starts a listener that records received bytes and never responds.
fn start_silent_listener() -> (String, Arc<Mutex<Vec<u8>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let heard = Arc::<Mutex<Vec<u8>>>::default();
    let hearing = heard.clone();
    std::thread::spawn(move || {
        for mut client in listener.incoming().map_while(Result::ok) {
            let mut bytes = [0; 4096];
            let length = client.read(&mut bytes).unwrap_or(0);
            hearing.lock().unwrap().extend_from_slice(&bytes[..length]);
        }
    });
    (url, heard)
}
