//! Compares the server's state of a transfer with the sender's knowledge, and resolves uncertain facts.

use serde_json::Value;

use crate::known::{Fact, Known, Trouble};
use crate::sender::{compare, create};
use crate::wire::{Client, text};

/// Kind of crash that the server went through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Survived {
    /// The process was killed.
    Kill,
    /// The machine lost power: up to [`LOST_AT_MOST`] bytes of an incomplete payload may be lost.
    PowerLoss,
}

/// Maximum loss of an incomplete upload in a power loss, in bytes.
const LOST_AT_MOST: usize = 16 << 20;

/// Resolves uncertain facts about a transfer.
///
/// # Errors
/// [`Trouble::Wrong`] if the server broke a guarantee.
pub(crate) async fn settle(client: &Client, known: &mut Known, survived: Survived) -> Result<(), Trouble> {
    match known.created {
        Fact::No => return Ok(()),
        Fact::Perhaps => create(client, known).await?,
        Fact::Yes => {}
    }
    let (code, _) = client.get(&known.path("status")).await?.outcome()?;
    if code != 200 {
        return Err(known.wrong("a transfer is missing", &code));
    }
    let status = client.get(&known.path("status")).await?.json()?;
    settle_state(known, &status)?;
    if status["status"] == "pending" {
        settle_upload(client, known, survived).await?;
    }
    settle_grants(client, known).await?;
    settle_trail(known, &trail(client, known).await?)?;
    check_count(known, &status)?;
    check_payload(client, known, &text(&status, "status")).await
}

fn settle_state(known: &mut Known, status: &Value) -> Result<(), Trouble> {
    let now = text(status, "status");
    let was_completed = !status["completed_at"].is_null();
    let facts = [
        (&mut known.deleted, now == "deleted", "its deletion"),
        (&mut known.completed, was_completed, "its completion"),
    ];
    let mut broken = None;
    for (fact, is_so, name) in facts {
        if (*fact == Fact::Yes && !is_so) || (*fact == Fact::No && is_so) {
            broken = Some(name);
        }
        *fact = if is_so { Fact::Yes } else { Fact::No };
    }
    let expired = now == "expired";
    let may = known.brief || !expired;
    let must = known.expired != Fact::Yes || expired || now == "deleted" || now == "exhausted";
    known.expired = if expired { Fact::Yes } else { known.expired };
    match broken.or((!may || !must).then_some("its expiry")) {
        None => Ok(()),
        Some(name) => Err(known.wrong(&format!("{name} has changed"), status)),
    }
}

async fn settle_upload(client: &Client, known: &mut Known, survived: Survived) -> Result<(), Trouble> {
    let status = client.get(&known.path("upload/status")).await?.json()?;
    let received = status["received_bytes"].as_u64().and_then(|received| usize::try_from(received).ok());
    let may_lack = if survived == Survived::PowerLoss { LOST_AT_MOST } else { 0 };
    let held = known.acknowledged.saturating_sub(may_lack)..=known.sent;
    match received {
        Some(received) if held.contains(&received) => known.acknowledged = received,
        other => return Err(known.wrong("an unexpected number of bytes is stored", &other)),
    }
    Ok(())
}

/// Checks that known grants are never refused as unknown.
async fn settle_grants(client: &Client, known: &mut Known) -> Result<(), Trouble> {
    for at in 0..known.grants.len() {
        let (grant, fact) = &known.grants[at];
        let path = known.path(&format!("payload/download-bytes?grant={grant}"));
        let found = match client.head(&path).await?.status {
            200 | 410 => Fact::Yes,
            403 if *fact == Fact::Perhaps => Fact::No,
            other => return Err(known.wrong("a counted download is lost", &(grant, other))),
        };
        known.grants[at].1 = found;
    }
    known.grants.retain(|(_, fact)| *fact == Fact::Yes);
    Ok(())
}

async fn trail(client: &Client, known: &Known) -> Result<Vec<Value>, Trouble> {
    let (mut records, mut after) = (Vec::new(), String::new());
    loop {
        let path = known.path(&format!("all?limit=1000{after}"));
        let mut page = client.admin_get(&format!("/audit{path}")).await?.json()?;
        records.extend(page["items"].as_array_mut().map(std::mem::take).unwrap_or_default());
        match page["next"].as_str() {
            Some(next) => after = format!("&after={next}"),
            None => return Ok(records),
        }
    }
}

/// Checks that the audit records contain an event for each certain fact, and none for facts that are false.
fn settle_trail(known: &mut Known, records: &[Value]) -> Result<(), Trouble> {
    let of = |kind: &str| records.iter().filter(|record| record["kind"] == kind).count();
    let granted = of("download_granted");
    let told = known.used() - known.untold;
    if granted < told + known.untold || granted > told + known.untold + known.untold_perhaps {
        return Err(known.wrong("an unexpected number of download events", &granted));
    }
    (known.untold, known.untold_perhaps) = (granted - told, 0);
    if known.limit.is_some_and(|limit| granted > limit) {
        return Err(known.wrong("the download limit is exceeded", &granted));
    }
    let exactly = [
        ("transfer_created", Fact::Yes),
        ("transfer_completed", known.completed),
        ("transfer_deleted", known.deleted),
        ("transfer_exhausted", if known.exhausted() { Fact::Yes } else { Fact::No }),
    ];
    for (kind, fact) in exactly {
        if of(kind) != usize::from(fact == Fact::Yes) {
            return Err(known.wrong(&format!("an unexpected number of {kind} events"), &of(kind)));
        }
    }
    for (kind, may) in [("transfer_expired", known.brief), ("payload_removed", known.ended() || known.brief)] {
        if of(kind) > usize::from(may) {
            return Err(known.wrong(&format!("too many {kind} events"), &of(kind)));
        }
    }
    for event in records.iter().filter(|record| {
        // Other requests may be recorded only after the last byte of the response.
        record["kind"] == "transfer_created" || record["kind"] == "transfer_completed"
    }) {
        let asked = |record: &&Value| record["type"] == "request" && record["request_id"] == event["request_id"];
        if records.iter().filter(asked).count() != 1 {
            return Err(known.wrong("an event has no request record", event));
        }
    }
    Ok(())
}

/// Checks the download counter. Counters of unlimited transfers are written once a second: they may lag, but never
/// lead.
fn check_count(known: &Known, status: &Value) -> Result<(), Trouble> {
    let (count, used) = (status["download_count"].as_u64(), known.used() as u64);
    let holds = count.is_some_and(|count| if known.limit.is_some() { count == used } else { count <= used });
    if holds { Ok(()) } else { Err(known.wrong("the download counter is wrong", &count)) }
}

/// Checks that a downloadable payload equals the upload, and that other payloads are refused.
async fn check_payload(client: &Client, known: &mut Known, status: &str) -> Result<(), Trouble> {
    let code = match status {
        "pending" => "not_completed",
        "deleted" => "transfer_deleted",
        "expired" => "transfer_expired",
        _ => {
            let Some((grant, _)) = known.grants.first().cloned() else { return Ok(()) };
            let answer = client.get(&known.path(&format!("payload/download-bytes?grant={grant}"))).await?;
            return compare(known, &answer);
        }
    };
    for path in ["payload/download-bytes".to_owned()]
        .into_iter()
        .chain(known.grants.first().map(|(grant, _)| format!("payload/download-bytes?grant={grant}")))
    {
        let found = client.get(&known.path(&path)).await?.outcome()?.1;
        if found != code && !known.is_over(&found) {
            return Err(known.wrong("a refused payload is downloadable", &found));
        }
    }
    Ok(())
}
