//! Lists of transfers, deletion of several, and changes of tokens, over every kind of storage.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{Api, Service, Started};

async fn sender(service: &Started, limits: &str) -> (Api, String) {
    let created = service.admin().post("/tokens/create").json(&format!(r#"{{"name":"sender"{limits}}}"#)).send().await;
    let (id, token) = (created.text("token_id"), created.text("token"));
    (service.public().with_header("x-sgsend-token", &token), id)
}

/// Reads all pages of a list, and checks that no page has more than `limit` items.
async fn ids(api: &Api, query: &str, limit: usize) -> Vec<String> {
    let (mut ids, mut after) = (Vec::new(), String::new());
    loop {
        let page = api.get(&format!("/transfers/list?limit={limit}{query}{after}")).send().await;
        assert_eq!(page.status, 200, "{page:?}");
        assert!(page.items().len() <= limit, "{page:?}");
        ids.extend(page.items().iter().map(|item| item["transfer_id"].as_str().unwrap().to_owned()));
        match page.json()["next"].as_str() {
            None => return ids,
            Some(next) => after = format!("&after={next}"),
        }
    }
}

async fn token_item(service: &Started, id: &str) -> Value {
    let listed = service.admin().get("/tokens/list").send().await.items();
    listed.into_iter().find(|item| item["token_id"] == id).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn senders_and_admins_list_transfers() {
    for service in Service::each() {
        let service = service.start().await;
        let ((one, token), (other, _)) = (sender(&service, "").await, sender(&service, "").await);
        let mut own = Vec::new();
        for size in [5, 30, 7] {
            own.push(one.create(size, "").await);
            service.advance_clock(Duration::from_secs(1));
        }
        let foreign = other.create(10, "").await;
        own.reverse();
        for limit in [1, 2, 3, 100] {
            assert_eq!(ids(&one, "", limit).await, own);
            assert_eq!(ids(&other, "", limit).await, std::slice::from_ref(&foreign));
            let admin = service.admin();
            assert_eq!(ids(&admin, "", limit).await, [std::slice::from_ref(&foreign), &own[..]].concat());
            assert_eq!(ids(&admin, &format!("&token_id={token}"), limit).await, own);
            let by_size = [&own[1], &foreign, &own[0], &own[2]].map(Clone::clone);
            assert_eq!(ids(&admin, "&order=size", limit).await, by_size);
            assert_eq!(ids(&admin, "&older_than=2", limit).await, own[1..]);
            assert_eq!(ids(&admin, "&state=completed,deleted", limit).await, [""; 0]);
            assert_eq!(ids(&admin, "&order=downloads&state=pending", limit).await.len(), 4);
        }
        let item = &one.get("/transfers/list?limit=1").send().await.items()[0];
        assert_eq!(
            (&item["token_id"], &item["status"], &item["size_bytes"]),
            (&json!(token), &json!("pending"), &json!(7))
        );
        for wrong in ["state=ready", "limit=0", "after=x", "order=size", "other=1"] {
            one.get(&format!("/transfers/list?{wrong}")).expect_error("invalid_request").await;
        }
        service.admin().get("/transfers/list?order=name").expect_error("invalid_request").await;
        service.public().get("/transfers/list").expect_error("token_missing").await;
        service.admin_without_key().get("/transfers/list").expect_error("admin_key_invalid").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_are_complete_while_transfers_are_created() {
    for service in Service::each() {
        let service = service.start().await;
        let (sender, token) = sender(&service, "").await;
        let mut before = BTreeSet::new();
        for _ in 0..10 {
            before.insert(sender.create(1, "").await);
        }
        let creating = async {
            let mut created = BTreeSet::new();
            for _ in 0..20 {
                created.insert(sender.create(1, "").await);
            }
            created
        };
        let listing = async {
            for _ in 0..5 {
                let listed = ids(&service.admin(), &format!("&token_id={token}"), 3).await;
                let distinct: BTreeSet<_> = listed.iter().cloned().collect();
                assert_eq!(distinct.len(), listed.len(), "a transfer is listed twice");
                assert!(distinct.is_superset(&before), "a transfer is missing");
            }
        };
        let (created, ()) = tokio::join!(creating, listing);
        let listed: BTreeSet<_> = ids(&sender, "", 7).await.into_iter().collect();
        assert_eq!(listed, &before | &created);
        let item = token_item(&service, &token).await;
        assert_eq!((&item["transfers_created"], &item["bytes_held"]), (&json!(30), &json!(30)));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn several_transfers_are_deleted_with_their_records() {
    for service in Service::each() {
        let service = service.start().await;
        let (sender, token) = sender(&service, "").await;
        let mut own = Vec::new();
        for _ in 0..4 {
            own.push(sender.send_payload(b"abc", "").await);
        }
        let unknown = "0".repeat(32);
        let body = json!({ "transfer_ids": [own[0], unknown, own[1]] }).to_string();
        let admin = service.admin();
        for _ in 0..2 {
            let deleted = admin.post("/transfers/delete-many").json(&body).send().await;
            let results: Vec<_> =
                deleted.items().iter().map(|item| (item["status"].clone(), item["code"].clone())).collect();
            let done = (json!("deleted"), Value::Null);
            assert_eq!(results, [done.clone(), (Value::Null, json!("transfer_not_found")), done], "{deleted:?}");
        }
        let trail = admin.get(&format!("/audit/transfers/id/{}/all", own[0])).send().await.items();
        let with = |member: &str, value: &str| trail.iter().filter(|record| record[member] == value).count();
        assert_eq!((with("action", "transfer.delete"), with("kind", "transfer_deleted")), (1, 1), "{trail:?}");
        assert_eq!(with("route", "/transfers/delete-many"), 1, "{trail:?}");

        let of_token = json!({ "token_id": token }).to_string();
        let deleted = admin.post("/transfers/delete-many").json(&of_token).send().await;
        assert_eq!((deleted.items().len(), &deleted.json()["next"]), (2, &Value::Null), "{deleted:?}");
        for id in &own {
            assert_eq!(sender.status(id).await.text("status"), "deleted");
        }
        for wrong in [json!({}), json!({ "transfer_ids": [] }), json!({ "transfer_ids": [unknown], "token_id": token })]
        {
            admin.post("/transfers/delete-many").json(&wrong.to_string()).expect_error("invalid_request").await;
        }
        let no_token = json!({ "token_id": "0".repeat(16) }).to_string();
        admin.post("/transfers/delete-many").json(&no_token).expect_error("token_not_found").await;
        service.admin_without_key().post("/transfers/delete-many").expect_error("admin_key_invalid").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_are_changed_and_their_use_is_counted() {
    for service in Service::each() {
        let service = service.start().await;
        let (sender, id) = sender(&service, "").await;
        sender.create(100, "").await;
        let path = format!("/tokens/id/{id}/update");
        let update = async |body: &str| {
            let updated = service.admin().post(&path).json(body).send().await;
            assert_eq!(updated.status, 200, "{updated:?}");
            updated.json()
        };
        let item = update(r#"{"name":"press","max_transfers":1,"max_total_bytes":150,"expires_in_s":60}"#).await;
        assert_eq!(
            (&item["name"], &item["transfers_created"], &item["bytes_held"]),
            (&json!("press"), &json!(1), &json!(100))
        );
        let create = |size: u64| sender.post("/transfers/create").json(&format!(r#"{{"size_bytes":{size}}}"#));
        create(10).expect_error("quota_exceeded").await;
        update(r#"{"max_transfers":null}"#).await;
        create(51).expect_error("quota_exceeded").await;
        assert_eq!(create(50).send().await.status, 201);
        service.advance_clock(Duration::from_mins(1));
        create(1).expect_error("token_expired").await;
        let item = update(r#"{"max_total_bytes":null,"expires_in_s":null}"#).await;
        assert_eq!(
            (&item["status"], &item["expires_at"], &item["bytes_held"]),
            (&json!("active"), &Value::Null, &json!(150))
        );
        assert_eq!(update("{}").await, token_item(&service, &id).await);
        assert_eq!(create(1).send().await.status, 201);
        for wrong in [r#"{"name":""}"#, r#"{"max_transfers":0}"#, r#"{"expires_in_s":0}"#, r#"{"quota":1}"#] {
            service.admin().post(&path).json(wrong).expect_error("invalid_request").await;
        }
        service.admin().post(&format!("/tokens/id/{}/update", "0".repeat(16))).expect_error("token_not_found").await;
        service.admin().post(&format!("/tokens/id/{id}/revoke")).json("{}").send().await;
        assert_eq!(update(r#"{"name":"after"}"#).await["status"], "revoked", "an update revives a token");
    }
}
