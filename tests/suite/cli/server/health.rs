//! `sgsend health`.

use crate::support::Home;

#[test]
fn health_tells_whether_a_service_can_serve_requests() {
    let home = Home::new();
    let store = home.path().join("store");
    let serving = home.server().storage(&format!("file:{}", store.display())).start();
    for url in [&serving.public, &serving.admin] {
        let shown = home.run(&["health", "--server", url]).text();
        assert_eq!(shown, format!("{url} is ready"));
        let json = home.run(&["health", "--server", url, "--json"]).json();
        assert_eq!(
            (&json["ok"], &json["status"], &json["clock_jumped"]),
            (&true.into(), &"ready".into(), &false.into())
        );
    }
    let live = ["health", "--live", "--server", &serving.public];
    assert!(home.run(&live).text().contains("runs sgsend "));
    assert_eq!(home.run(&[&live[..], &["--json"]].concat()).json()["status"], "ok");

    // Without its header, the store is not the service's any more.
    let records = rusqlite::Connection::open(store.join("records.sqlite")).unwrap();
    records.execute("DELETE FROM object WHERE key = 'store.json'", []).unwrap();
    let health = || home.run(&["health", "--server", &serving.public, "--json"]);
    // The service repeats a successful check after some seconds.
    let started = std::time::Instant::now();
    let not_ready = loop {
        let checked = health();
        if checked.exit != 0 {
            break checked;
        }
        assert!(started.elapsed() < std::time::Duration::from_secs(30), "the service is ready without a header");
        std::thread::sleep(std::time::Duration::from_millis(50));
    };
    assert_eq!(not_ready.exit, 8);
    assert_eq!(not_ready.json()["error"]["code"], "records_not_readable");
    home.run(&live).text();
    let address = serving.public.clone();
    serving.terminate();
    assert_eq!(home.run(&["health", "--server", &address]).exit, 8);
}
