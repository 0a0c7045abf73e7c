//! Records of the audit trail: all pages of them, and how they look in a line.

use anyhow::Result;
use serde_json::Value;

use super::escape;
use crate::client::{ClientError, RecordPage};
use crate::domain::timestamp::Timestamp;

/// The most pages that are read of one list: a server that never ends is left alone.
const MAX_PAGES: usize = 1_000;

/// Reads every page of a list; `page` gives the one after an id.
pub(super) async fn all<F>(mut page: impl FnMut(Option<String>) -> F) -> Result<Vec<Value>>
where
    F: Future<Output = Result<RecordPage, ClientError>>,
{
    let (mut items, mut after) = (Vec::new(), None);
    for _ in 0..MAX_PAGES {
        let next = page(after).await?;
        items.extend(next.items);
        match next.next {
            Some(id) => after = Some(id),
            None => break,
        }
    }
    Ok(items)
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
                if after.is_none() { (vec![1.into()], Some("x".to_owned())) } else { (vec![2.into()], None) };
            Ok(RecordPage { items, next })
        };
        assert_eq!(all(pages).await.unwrap(), vec![Value::from(1), 2.into()]);
    }
}
