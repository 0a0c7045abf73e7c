//! Key listings: byte order, pagination, prefixes.

use sgsend::domain::id::TokenId;
use sgsend::domain::store::{Commit, StorageKey, Store};

use crate::backends::{SharedStore, key};

async fn put(store: &dyn Store, keys: &[&str]) {
    let records = keys.iter().map(|at| (key(at), format!("at {at}").into())).collect();
    store.commit(Commit { records, ..Commit::default() }).await.unwrap();
}

async fn tokens(store: &dyn Store, after: Option<&str>, limit: usize) -> Vec<String> {
    let after = after.map(key);
    let found = store.keys(&StorageKey::tokens(), after.as_ref(), limit).await.unwrap();
    found.iter().map(ToString::to_string).collect()
}

pub(crate) async fn keys_come_in_order_and_in_pages(store: SharedStore) {
    let mut made: Vec<String> = (0..25).map(|_| StorageKey::token(TokenId::random()).to_string()).collect();
    put(&*store, &made.iter().map(String::as_str).collect::<Vec<_>>()).await;
    made.sort();
    let (mut listed, mut pages) = (Vec::new(), 0);
    loop {
        let page = tokens(&*store, listed.last().map(String::as_str), 10).await;
        if page.is_empty() {
            break;
        }
        pages += 1;
        listed.extend(page);
    }
    assert_eq!((listed, pages), (made.clone(), 3));
    assert_eq!(tokens(&*store, None, usize::MAX).await, made);
    assert_eq!(tokens(&*store, None, 0).await, [""; 0]);
}

pub(crate) async fn a_prefix_ends_where_it_should(store: SharedStore) {
    put(&*store, &["token", "tokens.json", "tokens.", "tokens0/a", "tokensx/a", "Tokens/a"]).await;
    assert_eq!(tokens(&*store, None, 99).await, [""; 0]);
    // `%` and `_` are wildcards in SQL patterns; `~` sorts after all other printable ASCII characters.
    let under = ["tokens/!", "tokens/%", "tokens/A", "tokens/_", "tokens/a", "tokens/b/c", "tokens/~", "tokens/\u{e9}"];
    put(&*store, &under).await;
    assert_eq!(tokens(&*store, None, 99).await, under);
}

pub(crate) async fn a_key_can_be_the_folder_of_another(store: SharedStore) {
    put(&*store, &["tokens", "tokens0", "tokens0/a", "tokens/a", "tokens/a/b", "tokens/a.json"]).await;
    assert_eq!(tokens(&*store, None, 99).await, ["tokens/a", "tokens/a.json", "tokens/a/b"]);
}

pub(crate) async fn a_cursor_outside_the_prefix_is_valid(store: SharedStore) {
    put(&*store, &["stats/a", "tokens/a", "tokens/b", "tokens0", "transfers/a"]).await;
    for before in ["", "stats/a", "tokens", "tokens/", "tokens/A"] {
        assert_eq!(tokens(&*store, Some(before), 99).await, ["tokens/a", "tokens/b"], "after {before:?}");
    }
    assert_eq!(tokens(&*store, Some("tokens/a"), 99).await, ["tokens/b"]);
    // A removed key is still a valid cursor.
    assert_eq!(tokens(&*store, Some("tokens/aa"), 99).await, ["tokens/b"]);
    for behind in ["tokens/b", "tokens/c", "tokens0", "transfers/a", "~"] {
        assert_eq!(tokens(&*store, Some(behind), 99).await, [""; 0], "after {behind:?}");
    }
}

pub(crate) async fn objects_come_with_their_keys(store: SharedStore) {
    put(&*store, &["tokens/a", "tokens/b", "tokens/c", "tokens0"]).await;
    let found = store.list(&StorageKey::tokens(), Some(&key("tokens/a")), 2).await.unwrap();
    let expected = ["tokens/b", "tokens/c"].map(|at| (key(at), format!("at {at}").into()));
    assert_eq!((&found.items[..], found.next), (&expected[..], None));
    let found = store.list(&StorageKey::tokens(), None, 1).await.unwrap();
    assert_eq!((found.items.len(), found.next), (1, Some(key("tokens/a"))));
    let found = store.list(&StorageKey::tokens(), None, 3).await.unwrap();
    assert_eq!((found.items.len(), found.next), (3, None), "the listing ends with its last object");
    let some = ["tokens/c", "tokens/x", "tokens/a"].map(key);
    let expected = ["tokens/c", "tokens/a"].map(|at| (key(at), format!("at {at}").into()));
    assert_eq!(store.get_all(&some).await.unwrap(), expected);
}
