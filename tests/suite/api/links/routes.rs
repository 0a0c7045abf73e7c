//! Every route of links, with its errors.

use sgsend::domain::crypto::proof::Grant;
use sgsend::domain::id::LinkId;

use super::{TestLink, links_of};
use crate::support::Service;

#[tokio::test]
async fn links_are_created_changed_and_closed() {
    for service in Service::each() {
        let service = service.start().await;
        let (sender, anyone) = (service.sender().await, service.public());
        let transfer = sender.create(3, "").await;
        let create = format!("/transfers/id/{transfer}/links/create");
        let link = TestLink::new(r#""max_downloads":5,"expires_in_s":3600"#);
        let created = sender.post(&create).json(&link.body).send().await;
        assert_eq!((created.status, created.text("status").as_str()), (201, "pending"), "{created:?}");
        assert!(created.text("page_url").ends_with(&format!("/d/{}", link.id)));
        let again = sender.post(&create).json(&link.body).send().await;
        assert_eq!((again.status, again.text("link_id")), (201, link.id.clone()));
        link.prove(anyone.post(&link.path("download/create-presign-url")))
            .json("{}")
            .expect_error("not_completed")
            .await;
        sender.upload(&transfer, b"abc").await;

        let status = link.status(&anyone).await;
        assert_eq!((status.text("transfer_id"), status.text("status")), (link.id.clone(), "completed".to_owned()));
        assert!(link.body.contains(&status.text("wrapped_key")), "{status:?}");
        let grant = Grant::random();
        assert_eq!(link.grant(&anyone, &grant).await.status, 200);
        let bytes = anyone.get(&link.path("payload/download-bytes")).header("x-sgsend-grant", &grant.to_text());
        assert_eq!(&bytes.send().await.body[..], b"abc");

        let changed = link.change(&sender, &transfer, "update", r#"{"max_downloads":2,"expires_in_s":60}"#).await;
        assert_eq!((changed.status, changed.number("downloads_remaining")), (200, 1), "{changed:?}");
        let unlimited = link.change(&sender, &transfer, "update", r#"{"max_downloads":null}"#).await;
        assert!(unlimited.json()["max_downloads"].is_null(), "{unlimited:?}");
        let ended = link.change(&sender, &transfer, "update", r#"{"max_downloads":1}"#).await;
        assert_eq!(ended.text("status"), "exhausted");
        link.change(&sender, &transfer, "update", r#"{"max_downloads":9}"#).await.check("transfer_exhausted");
        assert_eq!(link.grant(&anyone, &grant).await.status, 200);

        let other = TestLink::of(&sender, &transfer, "").await;
        for _ in 0..2 {
            assert_eq!(other.change(&sender, &transfer, "revoke", "{}").await.text("status"), "closed");
        }
        other.grant(&anyone, &Grant::random()).await.check("link_closed");
        assert_eq!(other.status(&anyone).await.text("status"), "closed");
        other.change(&sender, &transfer, "update", r#"{"expires_in_s":60}"#).await.check("link_closed");

        let items = links_of(&sender, &transfer).await;
        let own: Vec<_> = items.iter().map(|item| (item["own"] == true, item["status"].as_str().unwrap())).collect();
        assert_eq!(own, [(true, "completed"), (false, "exhausted"), (false, "closed")]);
        assert!(link.body.contains(items[1]["label"].as_str().unwrap()));
        // The own link is changed by the id of the transfer, and by the route of links.
        let update = format!("/transfers/id/{transfer}/update");
        let changed = sender.post(&update).json(r#"{"max_downloads":1}"#).send().await;
        assert_eq!((changed.text("link_id"), changed.number("downloads_remaining")), (transfer.clone(), 1));
        let revoke = format!("/transfers/id/{transfer}/links/id/{transfer}/revoke");
        assert_eq!(sender.post(&revoke).json("{}").send().await.text("status"), "closed");
        anyone.get(&format!("/transfers/id/{transfer}/payload/download-bytes")).expect_error("link_closed").await;
    }
}

#[tokio::test]
async fn routes_of_the_sender_take_the_id_of_the_transfer() {
    let service = Service::any().start().await;
    let (sender, stranger) = (service.sender().await, service.sender().await);
    let transfer = sender.create(3, "").await;
    let link = TestLink::of(&sender, &transfer, "").await;
    let routes = [
        ("POST", "payload/upload-bytes"),
        ("GET", "upload/status"),
        ("POST", "upload/create-presign-urls"),
        ("POST", "upload/complete"),
        ("POST", "update"),
        ("POST", "delete"),
        ("POST", "links/create"),
        ("POST", "links/list"),
    ];
    for (method, route) in routes {
        let by_sender = sender.request(method, &link.path(route)).json("{}").expect_error("is_a_link").await;
        assert_eq!(by_sender.text("transfer_id"), transfer);
        let by_stranger =
            stranger.request(method, &link.path(route)).json("{}").expect_error("not_your_transfer").await;
        assert!(!format!("{by_stranger:?}").contains(&transfer));
        service.public().request(method, &link.path(route)).json("{}").expect_error("token_missing").await;
        let unknown = format!("/transfers/id/{}/{route}", LinkId::random());
        sender.request(method, &unknown).json("{}").expect_error("transfer_not_found").await;
    }
    let delete = service.admin().post(&link.path("delete")).json("{}").expect_error("is_a_link").await;
    assert_eq!(delete.text("transfer_id"), transfer);
    let audit = format!("/audit/transfers/id/{}/all", link.id);
    service.admin().get(&audit).expect_error("is_a_link").await;
}

#[tokio::test]
async fn wrong_requests_for_links_are_rejected() {
    let service = Service::any().start().await;
    let (sender, stranger) = (service.sender().await, service.sender().await);
    let transfer = sender.create(3, r#""own_link":"closed""#).await;
    let create = format!("/transfers/id/{transfer}/links/create");
    let link = TestLink::new("");
    for (from, to) in [
        (r#""wrapped_key""#, r#""other":1,"wrapped_key""#),
        (r#""access_sha256""#, r#""access_sha""#),
        (r#""access_from_passphrase":false"#, r#""max_downloads":0"#),
        (r#""access_from_passphrase":false"#, r#""max_downloads":1001"#),
        (r#""access_from_passphrase":false"#, r#""expires_in_s":59"#),
        (r#""access_from_passphrase":false"#, r#""expires_in_s":7776001"#),
        (r#""label":""#, r#""label":"A"#),
        (link.id.as_str(), "0123"),
    ] {
        let body = link.body.replace(from, to);
        assert_ne!(body, link.body);
        sender.post(&create).json(&body).expect_error("invalid_request").await;
    }
    stranger.post(&create).json(&link.body).expect_error("not_your_transfer").await;
    assert_eq!(sender.post(&create).json(&link.body).send().await.status, 201);
    let other = TestLink::new("");
    let same_id = other.body.replace(&other.id, &link.id);
    sender.post(&create).json(&same_id).expect_error("link_mismatch").await;
    let unknown = TestLink::new("");
    unknown.change(&sender, &transfer, "update", "{}").await.check("link_not_found");
    unknown.change(&sender, &transfer, "revoke", "{}").await.check("link_not_found");
    link.change(&sender, &transfer, "update", r#"{"max_downloads":0}"#).await.check("invalid_request");
    link.change(&sender, &transfer, "update", r#"{"max_download":1}"#).await.check("invalid_request");
    sender.post(&format!("/transfers/id/{transfer}/links/id/x/revoke")).json("{}").expect_error("invalid_id").await;
    let list = format!("/transfers/id/{transfer}/links/list");
    sender.post(&list).json(r#"{"limit":0}"#).expect_error("invalid_request").await;
    let after = format!(r#"{{"after":"{}"}}"#, unknown.id);
    sender.post(&list).json(&after).expect_error("link_not_found").await;
    link.change(&sender, &transfer, "revoke", "{}").await;
    let upload = format!("/transfers/id/{transfer}/payload/upload-bytes");
    assert_eq!(sender.post(&upload).bytes(b"abc").send().await.status, 200);
    sender.post(&format!("/transfers/id/{transfer}/upload/complete")).json("{}").expect_error("no_link").await;
    sender.post(&format!("/transfers/id/{transfer}/delete")).json("{}").send().await;
    sender.post(&create).json(&TestLink::new("").body).expect_error("transfer_deleted").await;
}

#[tokio::test]
async fn lists_under_a_further_link_need_its_proof_or_the_token() {
    let service = Service::any().start().await;
    let (sender, stranger, anyone) = (service.sender().await, service.sender().await, service.public());
    let transfer = sender.create(3, "").await;
    let link = TestLink::of(&sender, &transfer, "").await;
    let wrong = TestLink::new("");
    for list in ["events/list", "actions/list"] {
        let path = link.path(list);
        anyone.get(&path).expect_error("access_required").await;
        wrong.prove(anyone.get(&path)).expect_error("access_invalid").await;
        stranger.get(&path).expect_error("not_your_transfer").await;
        let seen = link.prove(anyone.get(&path)).send().await;
        assert_eq!(seen.status, 200, "{seen:?}");
        assert!(seen.items().iter().all(|item| item["link_id"] == link.id.as_str()), "{seen:?}");
        assert_eq!(sender.get(&path).send().await.status, 200);
    }
}
