//! Guests who sign, and what the owner sees of them.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;

use super::{Requested, files};
use crate::cli::people::SshKey;

/// Returns the option that signs with a key.
fn sign(key: &SshKey) -> String {
    format!("--sign={}", key.private)
}

#[test]
fn the_owner_sees_who_has_signed() {
    let requested = Requested::new(&[]);
    let (ada, other) = (SshKey::new(&requested.guest, 21), SshKey::new(&requested.guest, 22));
    requested.owner.run(&["contact", "add", "ada", &ada.text]).text();
    let first = requested.send("a.txt", b"by ada", &[&sign(&ada)]).text();
    let second = requested.send("b.txt", b"by somebody", &[&sign(&other)]).text();
    let third = requested.send("c.txt", b"by nobody", &[]).text();
    let (received, inbox) = requested.download("inbox", &[]);
    let items = received["items"].as_array().unwrap();
    let of = |id: &str| items.iter().find(|item| item["transfer_id"] == id).unwrap();
    let signed = &of(&first)["signed_by"];
    assert_eq!((&signed["contact"], &signed["for_anyone"]), (&"ada".into(), &false.into()), "{received}");
    assert_eq!(of(&second)["signed_by"]["fingerprint"], other.fingerprint);
    assert!(of(&third)["signed_by"].is_null() && files(&inbox).len() == 3, "{received}");
    let shown = requested.owner(&["request", "show", &requested.id, "--json"]).json();
    for (id, signer) in [(&first, Some("ada")), (&second, Some(&*other.fingerprint)), (&third, None)] {
        let transfers = shown["transfers"].as_array().unwrap();
        let transfer = transfers.iter().find(|transfer| transfer["transfer_id"] == **id).unwrap();
        assert_eq!(transfer["signed_by"].as_str(), signer, "{shown}");
    }
    let text = requested.owner(&["request", "show", &requested.id]).text();
    assert!(text.contains("ada") && text.contains(&other.fingerprint), "{text}");
    let listed = requested.owner(&["request", "list", "--json"]).json();
    assert_eq!(listed["items"][0]["signed_by"], serde_json::json!(["ada", other.fingerprint]));
}

#[test]
fn only_required_senders_are_downloaded() {
    let requested = Requested::new(&[]);
    let (ada, other) = (SshKey::new(&requested.guest, 23), SshKey::new(&requested.guest, 24));
    requested.owner.run(&["contact", "add", "ada", &ada.text]).text();
    requested.send("ada.txt", b"by ada", &[&sign(&ada)]).text();
    requested.send("other.txt", b"by somebody", &[&sign(&other)]).text();
    requested.send("none.txt", b"by nobody", &[]).text();
    let inbox = requested.owner.path().join("inbox");
    fs::create_dir(&inbox).unwrap();
    let download = ["request", "download", &requested.id, "-o", inbox.to_str().unwrap()];
    let names = || {
        let found = files(&inbox);
        found.iter().map(|path| path.file_name().unwrap().to_owned()).collect::<BTreeSet<_>>()
    };
    let expected = |names: &[&str]| -> BTreeSet<OsString> { names.iter().map(OsString::from).collect() };
    let only_ada = requested.owner(&[&download[..], &["--require-signature=ada"]].concat());
    assert_eq!(only_ada.exit, 6, "{}", only_ada.stderr);
    assert!(only_ada.stderr.contains("not signed") && only_ada.stderr.contains(&other.fingerprint));
    assert_eq!(names(), expected(&["ada.txt"]));
    let signed = requested.owner(&[&download[..], &["--require-signature"]].concat());
    assert!(signed.exit == 6 && signed.stderr.contains("the transfer is not signed"), "{}", signed.stderr);
    assert_eq!(names(), expected(&["ada.txt", "other.txt"]));
    requested.owner(&[&download[..], &["--require-signature=bob"]].concat()).expect_failure(2, "no contact");
    requested.owner(&download).text();
    assert_eq!(names().len(), 3);
    // Nothing is left of what was refused.
    assert_eq!(fs::read_dir(&inbox).unwrap().count(), 3);
}

#[test]
fn the_owner_verifies_by_the_address_in_the_link() {
    let requested = Requested::new(&[]);
    let key = SshKey::new(&requested.guest, 25);
    let port = requested.serving.public.rsplit_once(':').unwrap().1;
    let public = format!("http://localhost:{port}");
    let created = requested.owner(&["request", "create", "--link-server", &public, "--json"]).json();
    let (link, id) = (created["link"].as_str().unwrap(), created["token_id"].as_str().unwrap());
    assert!(link.starts_with(&public), "{link}");
    let file = requested.guest.file("a.txt", b"signed");
    requested.guest.run(&["upload", &file, "--request", link, &sign(&key)]).text();
    // The owner uses another address of the same server.
    let inbox = requested.owner.path().to_str().unwrap();
    let received = requested.owner(&["request", "download", id, "-o", inbox, "--require-signature", "--json"]).json();
    assert_eq!(received["items"][0]["signed_by"]["fingerprint"], key.fingerprint, "{received}");
}

#[test]
fn a_guest_names_no_other_recipients() {
    let requested = Requested::new(&[]);
    let key = SshKey::new(&requested.guest, 26);
    let sent = requested.send("a.txt", b"x", &["--to", &key.text]);
    sent.expect_failure(2, "only the creator of the request");
}

#[test]
fn a_guest_deletes_until_the_owner_has_downloaded() {
    let requested = Requested::new(&[]);
    let (first, second) = (requested.send("a.txt", b"a", &[]).text(), requested.send("b.txt", b"b", &[]).text());
    let forgotten = requested.send("c.txt", b"c", &["--no-history"]).text();
    let delete = |id: &str| requested.guest.run(&["delete", id, "--request", &requested.link]);
    assert_eq!(requested.guest.run(&["delete", "--request", &requested.link]).exit, 2);
    delete(&forgotten).expect_failure(3, "no record");
    requested.owner.run(&["delete", &first, "--request", &requested.link]).expect_failure(3, "no record");
    assert_eq!(delete(&first).exit, 0);
    let records = requested.guest.path().join(".local/state/sgsend/guest-uploads");
    let left: Vec<_> = fs::read_dir(records).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, [format!("{second}.json").as_str()]);
    let (received, _) = requested.download("inbox", &[]);
    assert_eq!(received["items"].as_array().unwrap().len(), 2, "{received}");
    delete(&second).expect_failure(1, "was downloaded");
    requested.owner(&["request", "revoke", &requested.id]);
    delete(&second).expect_failure(5, "only the recipient can delete");
}
