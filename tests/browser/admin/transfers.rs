//! Transfers: lookup, records and deletion.

use super::{id, open};
use crate::support::{Service, chromium};

#[tokio::test]
async fn a_pasted_link_is_reduced_to_its_id() {
    let service = Service::start();
    let link = service.upload("a.txt", b"hello", &["-d", "3"]);
    let key = link.split_once("#v1.").unwrap().1;
    chromium(async |browser| {
        open(browser, &service, "transfer").await;
        browser.fill("#transfer-id", "no id").await;
        browser.click("#find button").await;
        browser.wait_for_text("#error", "Enter a transfer id").await;
        // Inserts the whole text at once, like a paste.
        let paste = "const field = document.querySelector('#transfer-id'); field.focus(); field.select();
            document.execCommand('insertText', false, args)";
        browser.script(paste, format!("  {link}\u{20}").into()).await;
        assert_eq!(browser.value("#transfer-id").await, id(&link));
        browser.click("#find button").await;
        browser.wait_for_text("#found-title", &id(&link)).await;
        assert_eq!(browser.address().await, format!("{}#transfer/{}", service.admin_page(), id(&link)));
        let requests = browser.requests().await;
        assert!(requests.iter().any(|request| request.url.contains(&id(&link))), "no request was sent");
        let leaks: Vec<_> = requests.iter().filter(|request| request.holds(key.as_bytes())).collect();
        assert!(leaks.is_empty(), "{leaks:?}");
        assert!(!browser.stored_data().await.to_string().contains(key));
        assert!(
            !browser.script("return document.documentElement.outerHTML", ().into()).await.to_string().contains(key)
        );
    })
    .await;
}

#[tokio::test]
async fn a_transfers_records_are_shown_by_kind() {
    let service = Service::start();
    let link = service.upload("a.txt", b"hello", &["-d", "3"]);
    service.download(&link, &[]);
    chromium(async |browser| {
        open(browser, &service, "transfer").await;
        browser.fill("#transfer-id", &id(&link)).await;
        browser.enter("#transfer-id").await;
        browser.wait_for_text("#state", "ready").await;
        browser.wait_for_text("#events", "Download counted").await;
        assert!(!browser.is_visible("#records").await, "records are shown without a request");
        browser.click("#all-records summary").await;
        browser.wait_for_text("#records", "/transfers/create").await;
        browser.wait_for_text("#records", "Upload finished").await;
        browser.wait_for_text("#records", "Download counted").await;
        let kinds = ["request", "action", "event"];
        for kind in kinds {
            browser.wait_until_visible(&format!("#records li[data-kind={kind}]")).await;
        }
        for kind in kinds {
            browser.click(&format!("#kind-{kind}")).await;
            browser.wait_until_hidden(&format!("#records li[data-kind={kind}]")).await;
            for other in kinds.into_iter().filter(|other| *other != kind) {
                assert!(
                    browser.is_visible(&format!("#records li[data-kind={other}]")).await,
                    "hiding {kind} also hid {other}"
                );
            }
            browser.click(&format!("#kind-{kind}")).await;
            browser.wait_until_visible(&format!("#records li[data-kind={kind}]")).await;
        }
        browser.fill("#transfer-id", &"0".repeat(32)).await;
        browser.enter("#transfer-id").await;
        browser.wait_for_text("#error", "no such transfer").await;
        assert!(!browser.is_visible("#found").await);
    })
    .await;
}

#[tokio::test]
async fn a_transfer_is_deleted_after_confirmation() {
    let service = Service::start();
    let link = service.upload("a.txt", b"hello", &["-d", "3"]);
    chromium(async |browser| {
        open(browser, &service, "transfer").await;
        browser.goto(&format!("{}#transfer/{}", service.admin_page(), id(&link))).await;
        browser.click("#remove").await;
        browser.click("#confirm-no").await;
        browser.wait_until_hidden("#confirm").await;
        assert_eq!(service.download(&link, &[]), b"hello");
        browser.click("#remove").await;
        browser.wait_for_text("#confirm", &id(&link)).await;
        browser.click("#confirm-yes").await;
        browser.wait_for_text("#outcome", "removed").await;
        browser.wait_for_text("#state", "deleted").await;
        browser.wait_for_text("#events", "Content removed").await;
        assert!(!browser.is_visible("#remove").await);
        service.home.run(&["download", &link, "-o", "-"]).expect_failure(4, "deleted");
    })
    .await;
}

#[tokio::test]
async fn listed_transfers_are_filtered_and_deleted_together() {
    let service = Service::start();
    let kept = service.upload("kept.txt", b"hello", &["-d", "3"]);
    let large = service.upload("large.bin", &vec![7; 100_000], &[]);
    let links = [(); 2].map(|()| service.upload("a.txt", b"hello", &[]));
    let row = |link: &str| format!("#transfer-{}", id(link));
    chromium(async |browser| {
        open(browser, &service, "transfers").await;
        for link in links.iter().chain([&kept, &large]) {
            browser.wait_until_visible(&row(link)).await;
        }
        // The keyboard alone: the order, its submission, and the boxes.
        browser.script("document.querySelector('#filter-order').value = 'size'", ().into()).await;
        browser.click("#transfer-filter button").await;
        browser.wait_until_visible(&format!("{}:first-child", row(&large))).await;
        browser.fill("#filter-age", "soon").await;
        browser.enter("#filter-age").await;
        browser.wait_for_text("#error", "30 days").await;
        browser.fill("#filter-age", "").await;
        for link in &links {
            browser.click(&format!("{} input", row(link))).await;
        }
        browser.wait_for_text("#selected-count", "2 transfers selected").await;
        browser.click("#delete-selected").await;
        browser.wait_for_text("#confirm", "Delete 2 transfers?").await;
        browser.click("#confirm-yes").await;
        browser.wait_for_text("#outcome", "2 transfers deleted").await;
        browser.script("document.querySelector('#filter-state').value = 'deleted'", ().into()).await;
        browser.click("#transfer-filter button").await;
        browser.wait_until_hidden(&row(&kept)).await;
        browser.wait_for_text(&row(&links[0]), "deleted").await;
    })
    .await;
    for link in &links {
        service.home.run(&["download", link, "-o", "-"]).expect_failure(4, "deleted");
    }
    assert_eq!(service.download(&kept, &[]), b"hello");
}

#[tokio::test]
async fn a_transfer_shows_its_size_limits_and_links() {
    let service = Service::start();
    let link = service.upload("a.txt", &vec![7; 100_000], &["-d", "3"]);
    service.download(&link, &[]);
    let further = service.run(&["link", "add", &link, "--name", "Ada"]).text();
    let further = id(&further);
    chromium(async |browser| {
        open(browser, &service, "transfer").await;
        // The id of a further link leads to its transfer.
        browser.fill("#transfer-id", &further).await;
        browser.enter("#transfer-id").await;
        browser.wait_for_text("#found-title", &id(&link)).await;
        browser.wait_for_text("#link-list", &further).await;
        let state = browser.wait_for_text("#state", "KiB").await;
        assert!(state.contains("ready") && state.contains("Expires"), "{state}");
        let titles = "return Array.from(document.querySelectorAll('#state time, #events time'), ({ title }) => title)";
        let titles = browser.script(titles, ().into()).await;
        let titles = titles.as_array().unwrap();
        assert!(titles.len() > 4 && titles.iter().all(|title| title.as_str().unwrap().ends_with(" UTC")), "{titles:?}");
    })
    .await;
}

#[tokio::test]
async fn transfers_are_found_and_the_address_keeps_the_filters() {
    let service = Service::start();
    let link = service.upload("a.txt", b"hello", &[]);
    let ended = service.upload("b.txt", b"hello", &[]);
    service.run(&["delete", &ended]).text();
    let row = |link: &str| format!("#transfer-{}", id(link));
    chromium(async |browser| {
        open(browser, &service, "transfers").await;
        browser.wait_until_visible(&row(&ended)).await;
        browser.select("#filter-state", "completed").await;
        browser.select("#filter-order", "size").await;
        browser.click("#transfer-filter button").await;
        browser.wait_until_hidden(&row(&ended)).await;
        assert!(browser.address().await.ends_with("#transfers?state=completed&order=size"));
        browser.reload().await;
        browser.wait_until_visible(&row(&link)).await;
        assert!(!browser.is_visible(&row(&ended)).await);
        assert_eq!(browser.value("#filter-order").await, "size");
        browser.script("history.back()", ().into()).await;
        browser.wait_until_visible(&row(&ended)).await;
        // Search by token, by a wrong text, and by link.
        browser.click(&format!("{} a[href^='#transfers?token=']", row(&link))).await;
        browser.wait_until_visible("#delete-of-token").await;
        assert_eq!(browser.value("#filter-search").await.len(), 16);
        browser.fill("#filter-search", "no id").await;
        browser.enter("#filter-search").await;
        browser.wait_for_text("#error", "transfer id").await;
        browser.fill("#filter-search", &link).await;
        let key = link.split_once('#').unwrap().1;
        assert!(!browser.value("#filter-search").await.contains(key), "the field contains the key");
        browser.enter("#filter-search").await;
        browser.wait_for_text("#found-title", &id(&link)).await;
    })
    .await;
}
