//! "My transfers": the list of what a token has sent, with changes and deletion.

use super::{open_send_page, send};
use crate::support::{Service, chromium};

#[tokio::test]
async fn transfers_of_the_token_are_listed_changed_and_deleted() {
    let service = Service::start();
    // Another token's transfer is not listed.
    service.upload("other.txt", b"other", &[]);
    chromium(async |browser| {
        open_send_page(browser, &service).await;
        browser.choose("#files", &[&service.home.file("report.txt", b"hello")]).await;
        browser.wait_for_text("#chosen", "report.txt").await;
        let link = send(browser).await;
        browser.click("#copy-link").await;
        let row = format!("#mine-{}", &link.split_once("/d/").unwrap().1[..32]);
        browser.click("#show-mine").await;
        browser.wait_for_text(&row, "report.txt").await;
        browser.wait_for_text(&row, "ready").await;
        let rows = "return document.querySelectorAll('#mine-list li').length";
        assert_eq!(browser.script(rows, ().into()).await, 1);

        browser.click(&format!("{row} button:not(.danger)")).await;
        browser.fill("#edit-downloads", "3").await;
        browser.click("#edit-yes").await;
        browser.wait_for_text(&row, "0 of 3").await;
        assert_eq!(service.status(&link).await["max_downloads"], 3);

        browser.click(&format!("{row} .danger")).await;
        browser.click("#confirm-no").await;
        assert_eq!(service.status(&link).await["status"], "completed");
        browser.click(&format!("{row} .danger")).await;
        browser.click("#confirm-yes").await;
        browser.wait_for_text(&row, "deleted").await;
        service.home.run(&["download", &link, "-o", "-"]).expect_failure(4, "deleted");
    })
    .await;
}
