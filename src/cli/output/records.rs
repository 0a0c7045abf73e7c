//! Audit records and events: reads all pages and formats them as table rows.

use std::collections::HashMap;

use anyhow::Result;
use serde::Serialize;
use serde_json::Value;

use super::escape;
use super::{table, time};
use crate::cli::failure::Failure;
use crate::cli::failure::exit::Exit;
use crate::client::ClientError;
use crate::domain::timestamp::Timestamp;
use crate::domain::wire::Page;

/// Maximum number of pages per list.
const MAX_PAGES: usize = 1_000;
/// Maximum size of one list, in bytes of JSON.
const MAX_BYTES: usize = 64 << 20;

/// Reads every page of a list; `page` returns the page after an id.
///
/// # Errors
/// Fails on a list that exceeds [`MAX_PAGES`] or [`MAX_BYTES`], or repeats its cursor: the list is never truncated.
pub(crate) async fn all<T, F>(mut page: impl FnMut(Option<String>) -> F) -> Result<Vec<T>>
where
    T: Serialize,
    F: Future<Output = Result<Page<T>, ClientError>>,
{
    let (mut items, mut after, mut bytes) = (Vec::new(), None, 0);
    for _ in 0..MAX_PAGES {
        let next = page(after.clone()).await?;
        bytes += serde_json::to_vec(&next.items)?.len();
        items.extend(next.items);
        match next.next {
            None => return Ok(items),
            advanced if advanced == after || bytes > MAX_BYTES => break,
            advanced => after = advanced,
        }
    }
    let failure = Failure::new(Exit::Network, "endless_list", "the list of the server is endless or too long");
    Err(failure.hint("report the error to the operator of the server").into())
}

/// Formats records as a timeline, with each request followed by its actions and events.
///
/// Unknown members are omitted. A record without its request keeps its own position.
pub(crate) fn timeline(records: &[Value]) -> String {
    let request_of = |record: &Value| record.get("request_id").map(plain);
    let is_request = |record: &Value| record.get("type").is_some_and(|kind| kind == "request");
    let mut place = HashMap::new();
    for (at, record) in records.iter().enumerate().filter(|(_, record)| is_request(record)) {
        place.extend(request_of(record).map(|id| (id, at)));
    }
    let mut order: Vec<_> = records.iter().enumerate().collect();
    order.sort_by_key(|(at, record)| {
        let group = request_of(record).and_then(|id| place.get(&id).copied()).unwrap_or(*at);
        (group, !is_request(record), *at)
    });
    let rows: Vec<_> = order.into_iter().map(|(_, record)| row(record)).collect();
    table::lines(&["TIME", "RECORD", "ACTION", "OUTCOME", "CLIENT"], &rows)
}

/// Formats one record as a line.
pub(crate) fn line(record: &Value) -> String {
    row(record).iter().map(|cell| escape::one_line(cell)).filter(|cell| !cell.is_empty()).collect::<Vec<_>>().join("  ")
}

/// Returns the columns of a record: time, type, action, outcome and client.
fn row(record: &Value) -> Vec<String> {
    let text = |name: &str| record.get(name).map(plain);
    let join = |parts: &[Option<String>]| parts.iter().flatten().cloned().collect::<Vec<_>>().join(" ");
    let at = record.get("at").and_then(Value::as_u64).map(|at| time::to_second(Timestamp::from_millis(at)));
    let claimed =
        record.get("source").filter(|source| *source == "client").map(|_| "(reported by the client)".to_owned());
    let of_client = |name: &str| record.get("client").and_then(|client| client.get(name)).map(plain);
    let finding = record.get("repaired").and_then(|repaired| repaired.get("finding")).map(plain);
    let token = text("token_id").map(|id| format!("token {id}"));
    vec![
        at.unwrap_or_default(),
        text("type").unwrap_or_default(),
        join(&[text("kind"), text("action"), finding, text("method"), text("route")]),
        join(&[text("outcome"), text("status").map(|status| format!("→ {status}")), text("code"), claimed]),
        join(&[of_client("agent"), of_client("address"), token]),
    ]
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_record_fits_into_one_line() {
        let event = serde_json::json!({"type": "event", "at": 1_772_323_199_999_u64, "kind": "link_opened", "source": "client",
            "client": {"agent": "curl\u{1b}", "address": "ab"}});
        let repair = serde_json::json!({"type": "action", "action": "store.repair", "outcome": "done",
            "repaired": {"finding": "payload", "object": "transfers/ab/meta.json"}});
        assert_eq!(line(&repair), "action  store.repair payload  done");
        let rest = "  event  link_opened  (reported by the client)  curl\\u{1b} ab";
        assert_eq!(line(&event), time::to_second(Timestamp::from_millis(1_772_323_199_999)) + rest);
        assert_eq!(line(&serde_json::json!({"new": 1})), "");
    }

    #[tokio::test]
    async fn all_pages_are_read() {
        let pages = |after: Option<String>| async move {
            let (items, next) =
                if after.is_none() { (vec![Value::from(1)], Some("x".to_owned())) } else { (vec![2.into()], None) };
            Ok(Page { items, next })
        };
        assert_eq!(all(pages).await.unwrap(), vec![Value::from(1), 2.into()]);
    }

    #[tokio::test]
    async fn an_endless_list_is_an_error() {
        let repeated = |_| async { Ok(Page { items: vec![1], next: Some("x".to_owned()) }) };
        assert!(all(repeated).await.is_err());
        let mut number = 0;
        let huge = |_| {
            number += 1;
            let next = Some(number.to_string());
            async move { Ok(Page { items: vec!["x".repeat(10 << 20)], next }) }
        };
        assert!(all(huge).await.is_err());
        assert_eq!(number, 7, "pages were read beyond the size limit");
    }
}
