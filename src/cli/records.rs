//! Records of the audit trail: all pages of them, and how they look in a line.

use anyhow::Result;
use serde::Serialize;
use serde_json::Value;

use super::escape;
use super::exit::Exit;
use super::failure::Failure;
use crate::client::ClientError;
use crate::domain::timestamp::Timestamp;
use crate::domain::wire::Page;

/// The most pages that are read of one list.
const MAX_PAGES: usize = 1_000;
/// The most that is kept of one list, in bytes of JSON.
const MAX_BYTES: usize = 64 << 20;

/// Reads every page of a list; `page` gives the one after an id. A list that does not end is an error, and never cut
/// short in silence.
pub(super) async fn all<T, F>(mut page: impl FnMut(Option<String>) -> F) -> Result<Vec<T>>
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
    let failure = Failure::new(Exit::Network, "endless_list", "the server's list does not end");
    Err(failure.hint("ask whoever runs the server").into())
}

/// A record in a line. Members that are not known are left out, and those that are missing too.
pub(super) fn line(record: &Value) -> String {
    let text = |name: &str| record.get(name).map(plain);
    let at = record.get("at").and_then(Value::as_u64).map(|at| time(Timestamp::from_millis(at)));
    let status = text("status").map(|status| format!("→ {status}"));
    let claimed = record.get("source").filter(|source| *source == "client").map(|_| "(claimed by a client)".to_owned());
    let client = record.get("client").map(|client| {
        let parts = ["agent", "address"].into_iter().filter_map(|name| client.get(name).map(plain));
        parts.collect::<Vec<_>>().join(" ")
    });
    let parts = [
        at,
        text("type"),
        text("kind"),
        text("action"),
        text("outcome"),
        text("method"),
        text("route"),
        status,
        text("code"),
        claimed,
        client.filter(|client| !client.is_empty()),
    ];
    let line = parts.into_iter().flatten().collect::<Vec<_>>().join("  ");
    escape::one_line(&line).into_owned()
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned)
}

/// To the second, since records of one minute are told apart.
fn time(at: Timestamp) -> String {
    let seconds = at.as_millis() / 1_000 % 60;
    format!("{}:{seconds:02}", at.minute())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_a_line_whatever_is_in_it() {
        let event = serde_json::json!({"type": "event", "at": 1_772_323_199_999_u64, "kind": "link_opened", "source": "client",
            "client": {"agent": "curl\u{1b}", "address": "ab"}});
        assert_eq!(line(&event), "2026-02-28T23:59:59  event  link_opened  (claimed by a client)  curl\\u{1b} ab");
        assert_eq!(line(&serde_json::json!({"new": 1})), "");
    }

    #[tokio::test]
    async fn every_page_is_read() {
        let pages = |after: Option<String>| async move {
            let (items, next) =
                if after.is_none() { (vec![Value::from(1)], Some("x".to_owned())) } else { (vec![2.into()], None) };
            Ok(Page { items, next })
        };
        assert_eq!(all(pages).await.unwrap(), vec![Value::from(1), 2.into()]);
    }

    #[tokio::test]
    async fn a_list_that_does_not_end_is_an_error() {
        let standing = |_| async { Ok(Page { items: vec![1], next: Some("x".to_owned()) }) };
        assert!(all(standing).await.is_err());
        let mut number = 0;
        let huge = |_| {
            number += 1;
            let next = Some(number.to_string());
            async move { Ok(Page { items: vec!["x".repeat(10 << 20)], next }) }
        };
        assert!(all(huge).await.is_err());
        assert_eq!(number, 7, "more was read than is kept");
    }
}
