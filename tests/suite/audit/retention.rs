//! Lists of audit records whose older reads are removed.

use std::time::Duration;

use crate::support::{Home, START, Service, eventually};

#[tokio::test]
async fn lists_say_from_when_on_reads_are_listed() {
    for service in Service::each() {
        let service = service.start().await;
        let sender = service.sender().await;
        let id = sender.create(3, r#""expires_in_s":7776000"#).await;
        sender.status(&id).await;
        let reads = async || {
            let page = service.admin().get(&format!("/audit/transfers/id/{id}/all")).send().await;
            let reads = page.items().iter().filter(|item| item["action"] == "transfer.status").count();
            (reads, page.json()["reads_since"].as_u64())
        };
        eventually(async || (reads().await == (1, None)).then_some(())).await;
        let later = Duration::from_secs(1);
        service.advance_clock(Duration::from_hours(24 * 30) + later);
        let since = Some(START.plus(later).as_millis());
        assert_eq!(reads().await, (0, since), "a read is listed after its retention");
        sender.status(&id).await;
        eventually(async || (reads().await.0 == 1).then_some(())).await;
        for list in ["events", "actions"] {
            let page = sender.get(&format!("/transfers/id/{id}/{list}/list")).send().await;
            assert_eq!(page.json()["reads_since"].as_u64(), since, "{page:?}");
            assert!(!page.items().is_empty(), "{list}");
        }
    }
}

#[test]
fn audit_show_tells_that_earlier_reads_are_removed() {
    let home = Home::new();
    let store = format!("file:{}", home.path().join("store").display());
    let serving = home.server().arguments(&["--storage", &store, "--retain-reads", "1s"]).start();
    home.log_in(&serving);
    let link = home.run_at(&serving, &["upload", &home.file("a.txt", b"a")]).text();
    assert_eq!(home.run(&["status", &link]).exit, 0);
    let show = |json: bool| {
        let mut arguments = vec!["audit", "show", &link];
        arguments.extend(json.then_some("--json"));
        let shown = home.run_at(&serving, &arguments);
        assert_eq!(shown.exit, 0, "{}", shown.stderr);
        shown
    };
    let start = std::time::Instant::now();
    let shown = loop {
        let shown = show(false);
        if shown.stderr.contains("have been removed") && !shown.text().contains("transfer.status") {
            break shown;
        }
        assert!(start.elapsed() < Duration::from_secs(30), "{}{}", shown.text(), shown.stderr);
        std::thread::sleep(Duration::from_millis(50));
    };
    assert!(shown.text().contains("transfer_completed"), "{}", shown.text());
    assert!(show(true).json()["reads_since"].is_u64());
}
