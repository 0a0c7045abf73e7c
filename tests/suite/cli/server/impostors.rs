//! Programs that listen where an admin service has listened: they get no generated key.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use crate::support::{FinishedCommand, Home, ReservedAddress, ServerProcess, not_run};

/// A program that answers every request, and records the requests.
struct Impostor {
    recording: Arc<Mutex<Vec<u8>>>,
}

/// An impostor's body in response to the request with this body for a proof.
type Proof = Arc<dyn Fn(&[u8]) -> String + Send + Sync>;

impl Impostor {
    fn start(listener: TcpListener, proof: impl Fn(&[u8]) -> String + Send + Sync + 'static) -> Self {
        let recording = Arc::<Mutex<Vec<u8>>>::default();
        let (shared, proof): (_, Proof) = (recording.clone(), Arc::new(proof));
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let (shared, proof) = (shared.clone(), proof.clone());
                std::thread::spawn(move || serve(&client, &shared, &*proof));
            }
        });
        Self { recording }
    }

    /// Returns the requests so far.
    fn recorded(&self) -> String {
        String::from_utf8_lossy(&self.recording.lock().unwrap()).into_owned()
    }
}

/// Reads a request or response; returns its head and body.
fn read_message(reader: &mut impl BufRead) -> Option<(String, Vec<u8>)> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        reader.read_line(&mut head).ok().filter(|length| *length > 0)?;
    }
    let lower = head.to_lowercase();
    let length = lower.lines().find_map(|line| line.strip_prefix("content-length: ")).map_or(0, |l| l.parse().unwrap());
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some((head, body))
}

fn serve(client: &TcpStream, recording: &Mutex<Vec<u8>>, proof: &dyn Fn(&[u8]) -> String) -> Option<()> {
    let (mut reader, mut writer) = (BufReader::new(client), client);
    loop {
        let (head, body) = read_message(&mut reader)?;
        recording.lock().unwrap().extend_from_slice(&[head.as_bytes(), &body].concat());
        let answer = if head.contains("/auth/prove") { proof(&body) } else { r#"{"items":[],"next":null}"#.to_owned() };
        let length = answer.len();
        let head = format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n");
        writer.write_all((head + &answer).as_bytes()).ok()?;
    }
}

/// Passes a request for a proof to the service at `target`, as a request to `host`.
///
/// Returns the body of the response.
fn pass_on(body: &[u8], target: SocketAddr, host: &str) -> String {
    let mut service = TcpStream::connect(target).unwrap();
    let length = body.len();
    let head = format!("POST /auth/prove HTTP/1.1\r\nhost: {host}\r\ncontent-length: {length}\r\n\r\n");
    service.write_all(&[head.as_bytes(), body].concat()).unwrap();
    let (_, body) = read_message(&mut BufReader::new(service)).unwrap();
    String::from_utf8(body).unwrap()
}

fn admin_at(home: &Home, address: &str) -> ServerProcess {
    let store = format!("file:{}", home.path().join("store").display());
    home.server().only("admin").listen(address).storage(&store).start()
}

fn key_of(home: &Home) -> String {
    std::fs::read_to_string(home.path().join(".config/sgsend/admin-key")).unwrap().trim().to_owned()
}

fn list(home: &Home, url: &str) -> FinishedCommand {
    home.run(&["--admin-server", url, "--timeout", "4s", "token", "list"])
}

/// Checks that the command rejected an impostor, which got no key.
fn check_rejected(home: &Home, finished: &FinishedCommand, impostor: &Impostor) {
    finished.expect_failure(5, "did not prove");
    let recorded = impostor.recorded();
    assert!(recorded.contains("/auth/prove"), "{recorded}");
    assert!(!recorded.contains(&key_of(home)) && !recorded.to_lowercase().contains("x-api-key"), "{recorded}");
}

#[test]
fn an_impostor_on_the_port_of_the_service_gets_no_key() {
    let home = Home::new();
    let address = ReservedAddress::new();
    let serving = admin_at(&home, &address.to_string());
    let url = serving.admin.clone();
    list(&home, &url).text();
    serving.kill();
    let mut answers = vec![String::new(), "{}".to_owned(), "x".repeat(100)];
    answers.push(format!(r#"{{"origin":"{url}","proof":"{}"}}"#, "0".repeat(64)));
    let answers = Mutex::new(answers);
    let listener = TcpListener::bind(address.get()).unwrap();
    let impostor = Impostor::start(listener, move |_| answers.lock().unwrap().pop().unwrap_or_default());
    for _ in 0..4 {
        check_rejected(&home, &list(&home, &url), &impostor);
    }
    for command in [&["stats"][..], &["token", "create", "x"], &["audit", "show", &"0".repeat(32)]] {
        let finished = home.run(&[&["--admin-server", &url, "--timeout", "4s"], command].concat());
        check_rejected(&home, &finished, &impostor);
    }
}

#[test]
fn a_proof_of_the_real_service_is_worth_nothing_elsewhere() {
    let home = Home::new();
    let (earlier, current) = (ReservedAddress::new(), ReservedAddress::new());
    admin_at(&home, &earlier.to_string()).terminate();
    let serving = admin_at(&home, &current.to_string());
    let hosts = [earlier.to_string(), current.to_string(), format!("localhost:{}", current.get().port())];
    let (target, next) = (current.get(), Mutex::new(hosts.clone().into_iter()));
    let listener = TcpListener::bind(earlier.get()).unwrap();
    let impostor = Impostor::start(listener, move |body| {
        let host = next.lock().unwrap().next().unwrap();
        pass_on(body, target, &host)
    });
    for _ in hosts {
        check_rejected(&home, &list(&home, &format!("http://{earlier}")), &impostor);
    }
    list(&home, &serving.admin).text();
}

#[test]
fn an_address_without_a_service_of_this_user_gets_no_request() {
    let home = Home::new();
    let serving = admin_at(&home, "127.0.0.1:0");
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let impostor = Impostor::start(listener, |_| String::new());
    for url in [format!("http://{address}"), format!("http://localhost:{}", address.port())] {
        let finished = list(&home, &url);
        finished.expect_failure(5, "no admin key for");
        assert!(finished.stderr.contains(&serving.admin), "the owner of the key is not named: {}", finished.stderr);
    }
    assert_eq!(impostor.recorded(), "");
}

#[test]
fn localhost_is_the_address_that_the_service_listens_on() {
    let home = Home::new();
    for (own, other) in [("127.0.0.1", "[::1]"), ("[::1]", "127.0.0.1")] {
        let Ok(listener) = TcpListener::bind(format!("{other}:0")) else {
            return not_run("this machine has no IPv6");
        };
        let port = listener.local_addr().unwrap().port();
        let serving = admin_at(&home, &format!("{own}:{port}"));
        let impostor = Impostor::start(listener, |_| String::new());
        let url = format!("http://localhost:{port}");
        list(&home, &url).text();
        assert_eq!(impostor.recorded(), "", "{other} was asked instead of {own}");
        list(&home, &format!("http://{other}:{port}")).expect_failure(5, "no admin key for");
        assert_eq!(impostor.recorded(), "");
        serving.terminate();
    }
}

#[test]
fn a_service_behind_another_name_or_scheme_is_not_the_owner() {
    let home = Home::new();
    let serving = admin_at(&home, "127.0.0.1:0");
    let port = serving.admin.rsplit_once(':').unwrap().1;
    for url in [
        format!("http://127.0.0.2:{port}"),
        format!("http://0.0.0.0:{port}"),
        format!("https://127.0.0.1:{port}"),
        format!("http://[::ffff:127.0.0.1]:{port}"),
    ] {
        home.run(&["--admin-server", &url, "--insecure-http", "token", "list"]).expect_failure(5, "no admin key for");
    }
    // A configured key follows the user's choice of the server, and needs no proof.
    let key = home.file("key", key_of(&home).as_bytes());
    home.run(&["--admin-server", &serving.admin, "--admin-key-file", &key, "token", "list"]).text();
}
