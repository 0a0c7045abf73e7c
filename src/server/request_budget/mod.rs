//! Tests of the budget in `docs/performance.md`: how many store requests each operation makes.
//!
//! A bucket is billed by requests, and each is a round trip. A change of a number here is a decision, made in the table.

mod client;
mod killed_grant;

use std::sync::Arc;
use std::time::Duration;

use client::{BudgetClient, TestLink};

use crate::domain::store::{FaultyStore, Store};
use crate::server::store::S3Store;
use crate::server::store::s3::test_server::{S3RequestKind, S3TestServer};

/// Path of the page with the budget.
const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/performance.md");
/// Time after which a reader completes the commit of another server: not within these tests.
const OUTBOX_DELAY: Duration = Duration::from_hours(1);

/// Store requests of one operation.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Row {
    operation: &'static str,
    cells: String,
}

/// Store under test, whose requests are counted.
enum Counted {
    /// Commits, and other operations.
    Transactions(Arc<FaultyStore>, (u64, u64)),
    /// Reads, writes, lists and removals.
    Bucket(Arc<S3TestServer>),
}

impl Counted {
    /// Returns the cells of the table for the requests since the last call.
    fn take(&mut self) -> String {
        match self {
            Self::Transactions(store, before) => {
                let commits = store.commits();
                let others = store.operations() - commits - store.header_reads();
                let (last_commits, last_others) = std::mem::replace(before, (commits, others));
                format!("{} | {}", commits - last_commits, others - last_others)
            }
            Self::Bucket(server) => {
                // A server looks at the header every 5 s, whatever it does.
                let requests: Vec<_> = server.take_requests();
                let requests: Vec<_> = requests.iter().filter(|request| request.key != "store.json").collect();
                let count = |kind| requests.iter().filter(|request| request.kind == kind).count();
                let kinds = [S3RequestKind::Read, S3RequestKind::Write, S3RequestKind::List, S3RequestKind::Delete];
                tracing::debug!(?requests);
                kinds.map(|kind| count(kind).to_string()).join(" | ")
            }
        }
    }
}

/// Runs all operations over `store`, and returns their rows.
async fn rows(store: Arc<dyn Store>, counted: &mut Counted) -> Vec<Row> {
    let client = BudgetClient::over(store).await;
    let mut rows = Vec::new();
    let mut measured = |operation: &'static str, counted: &mut Counted| {
        rows.push(Row { operation, cells: counted.take() });
    };
    // The first request of a token each hour records its use.
    client.create("").await;
    counted.take();

    let transfer = client.create("").await;
    measured("create", counted);
    client.create(&format!(r#","idempotency_key":"{}""#, "ab".repeat(32))).await;
    measured("create with an idempotency key", counted);
    client.upload(&transfer).await;
    measured("upload of a small payload", counted);
    client.complete(&transfer).await;
    measured("complete", counted);
    client.status(&transfer).await;
    measured("status, first of the transfer and day", counted);
    client.status(&transfer).await;
    measured("status", counted);
    client.grant(&transfer, None).await;
    measured("grant of a download, unlimited", counted);
    client.flush_counts().await;
    measured("count of unlimited downloads, once a second", counted);

    let limited = client.completed(r#","max_downloads":2"#).await;
    counted.take();
    let grant = client.grant(&limited, None).await;
    measured("grant of a download, with a limit", counted);
    client.download(&limited, &grant).await;
    measured("range of a payload under a grant", counted);
    client.grant(&limited, None).await;
    measured("grant of the last download", counted);

    let link = TestLink::new();
    client.create_link(&transfer, &link).await;
    measured("creation of a further link", counted);
    client.link_status(&link).await;
    measured("status of a further link", counted);
    client.grant(&link.id, Some(&link)).await;
    measured("grant under a further link", counted);
    client.update_link(&transfer, &link, r#"{"expires_in_s":3600}"#).await;
    measured("change of a further link's expiry", counted);
    client.revoke_link(&transfer, &link).await;
    measured("end of a further link by its sender", counted);

    let noisy = client.completed(r#","notify":"every""#).await;
    counted.take();
    client.grant(&noisy, None).await;
    measured("grant of a download with its notification", counted);
    client.dispatch().await;
    measured("distribution of all notifications so far", counted);
    client.dispatch().await;
    measured("distribution without notifications, each second", counted);

    let request = client.create_request().await;
    measured("creation of a request", counted);
    client.create_as_guest(&request).await;
    client.create_as_guest(&request).await;
    counted.take();
    client.create_as_guest(&request).await;
    measured("create by a guest", counted);

    client.delete(&noisy).await;
    measured("delete", counted);
    // Entries of the last minutes are looked at again, since their change may still follow.
    client.advance_clock(Duration::from_hours(1));
    client.sweep().await;
    counted.take();
    client.sweep().await;
    measured("sweep without anything due", counted);
    rows
}

/// Returns the rows of the table in the page, as operations with their cells.
fn table() -> Vec<(String, String)> {
    let page = std::fs::read_to_string(PAGE).unwrap();
    let rows = page.lines().skip_while(|line| !line.starts_with("| Operation | Commits |")).skip(2);
    let rows = rows.take_while(|line| line.starts_with('|'));
    let row = |line: &str| {
        let (operation, cells) = line.trim_matches(['|', ' ']).split_once(" | ").unwrap();
        (operation.to_owned(), cells.to_owned())
    };
    rows.map(row).collect()
}

#[tokio::test]
async fn every_operation_makes_the_store_requests_of_its_budget() {
    let memory = Arc::new(FaultyStore::default());
    let of_transactions = rows(memory.clone(), &mut Counted::Transactions(memory, (0, 0))).await;
    let mut of_buckets = Vec::new();
    for flow in ["", "?flow=bytes"] {
        let (server, endpoint, _) = S3TestServer::default().start().await;
        let store = Arc::new(S3Store::of_test(&endpoint, &format!("s3://bucket/store{flow}"), OUTBOX_DELAY));
        of_buckets.push(rows(store, &mut Counted::Bucket(server)).await);
    }
    let [presigned, bytes] = of_buckets.try_into().unwrap();
    let row =
        |one: &Row, operation: String, of_bucket: &Row| (operation, format!("{} | {}", one.cells, of_bucket.cells));
    let mut counted: Vec<_> = of_transactions
        .iter()
        .zip(&presigned)
        .map(|(one, of_bucket)| row(one, one.operation.to_owned(), of_bucket))
        .collect();
    let differing = of_transactions.iter().zip(presigned.iter().zip(&bytes));
    let differing = differing.filter(|(_, (presigned, bytes))| presigned.cells != bytes.cells);
    counted
        .extend(differing.map(|(one, (_, bytes))| row(one, format!("{}, through the service", one.operation), bytes)));
    let text: Vec<_> = counted.iter().map(|(operation, cells)| format!("| {operation} | {cells} |")).collect();
    assert!(table() == counted, "the table must be:\n{}", text.join("\n"));
}
