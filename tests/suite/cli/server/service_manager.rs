//! Services under a service manager: inherited sockets, and reports of their state.

use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixDatagram, UnixListener};
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::support::{Home, ServerBuilder, not_run};

/// Passes stdin on as the first inherited socket, as a service manager does.
const PASS: &str = r#"exec 3<&0 </dev/null; export LISTEN_PID=${PASS_PID:-$$} LISTEN_FDS=1; exec "$0" "$@""#;

fn with_socket(home: &Home, socket: impl Into<OwnedFd>) -> ServerBuilder {
    home.server().under(&["sh", "-c", PASS]).stdin(Stdio::from(socket.into()))
}

#[test]
fn a_service_uses_inherited_sockets() {
    let home = Home::new();
    let store = format!("file:{}", home.path().join("store").display());
    let tcp = || TcpListener::bind("127.0.0.1:0").unwrap();
    let listener = tcp();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let serving = with_socket(&home, listener).only("public").storage(&store).start();
    assert_eq!(serving.public, url);
    assert_eq!(home.run(&["health", "--server", &url]).exit, 0);
    serving.terminate();

    // Of both services, that with the name of the socket.
    let listener = tcp();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let serving = with_socket(&home, listener).storage("memory:").env("LISTEN_FDNAMES", "admin").start();
    assert_eq!(serving.admin, url);
    assert!(serving.public.starts_with("http://127.0.0.1:") && serving.public != url);
    assert_eq!(home.run(&["health", "--server", &url]).exit, 0);
    serving.terminate();

    // A Unix socket belongs to the manager, which keeps its file.
    let path = home.path().join("inherited.sock");
    let serving = with_socket(&home, UnixListener::bind(&path).unwrap()).only("public").storage(&store).start();
    assert_eq!(serving.public, format!("unix:{}", path.display()));
    assert_eq!(home.run(&["health", "--socket", path.to_str().unwrap()]).exit, 0);
    serving.terminate();
    assert!(path.exists());

    // Sockets of another process are not used.
    let listener = tcp();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let serving = with_socket(&home, listener).storage("memory:").env("PASS_PID", "1").start();
    assert!(serving.public != url && serving.admin != url);
    serving.terminate();
}

#[test]
fn unusable_inherited_sockets_prevent_the_start() {
    let home = Home::new();
    let datagram = UnixDatagram::unbound().unwrap();
    let error = with_socket(&home, datagram).storage("memory:").try_start().err().unwrap();
    assert!(error.contains("no stream socket"), "{error}");
    let stray = with_socket(&home, TcpListener::bind("127.0.0.1:0").unwrap()).env("LISTEN_FDNAMES", "web");
    let error = stray.storage("memory:").try_start().err().unwrap();
    assert!(error.contains("belongs to no service") && error.contains("FileDescriptorName"), "{error}");
}

#[test]
fn systemd_starts_a_service_at_the_first_connection() {
    if Command::new("systemd-socket-activate").arg("--version").stdout(Stdio::null()).status().is_err() {
        return not_run("systemd-socket-activate is not installed");
    }
    let home = Home::new();
    let address = crate::support::ReservedAddress::new();
    let listen = address.get().to_string();
    let wrapper = ["systemd-socket-activate", "-l", &listen, "-E", "HOME", "-E", "SGSEND_MIN_FREE"];
    let server = home.server().under(&wrapper).only("public");
    let store = format!("file:{}", home.path().join("store").display());
    let started = std::thread::spawn(move || server.storage(&store).start());
    let url = format!("http://{listen}");
    // The first request starts the service, and is answered by it.
    while home.run(&["health", "--server", &url]).exit != 0 {
        std::thread::sleep(Duration::from_millis(10));
    }
    let serving = started.join().unwrap();
    assert_eq!(serving.public, url);
    serving.terminate();
}

#[test]
fn the_service_manager_is_told_each_state() {
    let home = Home::new();
    let path = home.path().join("notify");
    let manager = UnixDatagram::bind(&path).unwrap();
    manager.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let next = || {
        let mut buffer = [0; 1024];
        let length = manager.recv(&mut buffer).unwrap();
        String::from_utf8(buffer[..length].to_vec()).unwrap()
    };
    let server = || home.server().storage("memory:").env("NOTIFY_SOCKET", path.to_str().unwrap());
    let serving = server().start();
    let ready = format!("READY=1\nSTATUS=public on {}, admin on {}\n", serving.public, serving.admin);
    assert_eq!(next(), ready);
    serving.signal("HUP");
    assert!(next().starts_with("RELOADING=1\nMONOTONIC_USEC="));
    assert_eq!(next(), ready);
    serving.terminate();
    assert!(next().starts_with("STOPPING=1\n"));

    let serving = server().env("WATCHDOG_USEC", "200000").start();
    let states: Vec<_> = std::iter::repeat_with(next).take(4).collect();
    assert_eq!(
        states,
        [
            &*format!("READY=1\nSTATUS=public on {}, admin on {}\n", serving.public, serving.admin),
            "WATCHDOG=1\n",
            "WATCHDOG=1\n",
            "WATCHDOG=1\n"
        ]
    );
    serving.kill();
    // A watchdog of another process is not fed: the next state is the end.
    while manager.set_nonblocking(true).is_ok() && manager.recv(&mut [0; 64]).is_ok() {}
    manager.set_nonblocking(false).unwrap();
    let serving = server().env("WATCHDOG_USEC", "1000").env("WATCHDOG_PID", "1").start();
    assert!(next().starts_with("READY=1\n"));
    serving.terminate();
    assert!(next().starts_with("STOPPING=1\n"));
}
