//! Compares the server's state of a transfer with the sender's knowledge, and resolves uncertain facts.

use serde_json::Value;

use crate::http_client::{Client, text};
use crate::sender::{compare, create};
use crate::transfer_model::{Fact, TransferModel, Trouble};

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
pub(crate) async fn reconcile(client: &Client, model: &mut TransferModel, survived: Survived) -> Result<(), Trouble> {
    match model.created {
        Fact::No => return Ok(()),
        Fact::Perhaps => create(client, model).await?,
        Fact::Yes => {}
    }
    let (code, _) = client.get(&model.path("status")).await?.outcome()?;
    if code != 200 {
        return Err(model.wrong("a transfer is missing", &code));
    }
    let status = client.get(&model.path("status")).await?.json()?;
    reconcile_state(model, &status)?;
    if status["status"] == "pending" {
        reconcile_upload(client, model, survived).await?;
    }
    reconcile_grants(client, model).await?;
    reconcile_trail(model, &trail(client, model).await?)?;
    check_count(model, &status)?;
    check_payload(client, model, &text(&status, "status")).await
}

fn reconcile_state(model: &mut TransferModel, status: &Value) -> Result<(), Trouble> {
    let now = text(status, "status");
    let was_completed = !status["completed_at"].is_null();
    let facts = [
        (&mut model.deleted, now == "deleted", "its deletion"),
        (&mut model.completed, was_completed, "its completion"),
    ];
    let mut broken = None;
    for (fact, is_so, name) in facts {
        if (*fact == Fact::Yes && !is_so) || (*fact == Fact::No && is_so) {
            broken = Some(name);
        }
        *fact = if is_so { Fact::Yes } else { Fact::No };
    }
    let expired = now == "expired";
    let may = model.brief || !expired;
    let must = model.expired != Fact::Yes || expired || now == "deleted" || now == "exhausted";
    model.expired = if expired { Fact::Yes } else { model.expired };
    match broken.or((!may || !must).then_some("its expiry")) {
        None => Ok(()),
        Some(name) => Err(model.wrong(&format!("{name} has changed"), status)),
    }
}

async fn reconcile_upload(client: &Client, model: &mut TransferModel, survived: Survived) -> Result<(), Trouble> {
    let status = client.get(&model.path("upload/status")).await?.json()?;
    let received = status["received_bytes"].as_u64().and_then(|received| usize::try_from(received).ok());
    let may_lack = if survived == Survived::PowerLoss { LOST_AT_MOST } else { 0 };
    let possible_sizes = model.acknowledged.saturating_sub(may_lack)..=model.sent;
    match received {
        Some(received) if possible_sizes.contains(&received) => model.acknowledged = received,
        other => return Err(model.wrong("an unexpected number of bytes is stored", &other)),
    }
    Ok(())
}

/// Checks that known grants are never refused as unknown.
async fn reconcile_grants(client: &Client, model: &mut TransferModel) -> Result<(), Trouble> {
    for at in 0..model.grants.len() {
        let (grant, fact) = &model.grants[at];
        let path = model.path(&format!("payload/download-bytes?grant={grant}"));
        let found = match client.head(&path).await?.status {
            200 | 410 => Fact::Yes,
            403 if *fact == Fact::Perhaps => Fact::No,
            other => return Err(model.wrong("a counted download is lost", &(grant, other))),
        };
        model.grants[at].1 = found;
    }
    model.grants.retain(|(_, fact)| *fact == Fact::Yes);
    Ok(())
}

async fn trail(client: &Client, model: &TransferModel) -> Result<Vec<Value>, Trouble> {
    let (mut records, mut after) = (Vec::new(), String::new());
    loop {
        let path = model.path(&format!("all?limit=1000{after}"));
        let mut page = client.admin_get(&format!("/audit{path}")).await?.json()?;
        records.extend(page["items"].as_array_mut().map(std::mem::take).unwrap_or_default());
        match page["next"].as_str() {
            Some(next) => after = format!("&after={next}"),
            None => return Ok(records),
        }
    }
}

/// Checks that the audit records contain an event for each certain fact, and none for false facts.
fn reconcile_trail(model: &mut TransferModel, records: &[Value]) -> Result<(), Trouble> {
    let of = |kind: &str| records.iter().filter(|record| record["kind"] == kind).count();
    let granted = of("download_granted");
    let acknowledged = model.used() - model.unacknowledged;
    if granted < acknowledged + model.unacknowledged
        || granted > acknowledged + model.unacknowledged + model.perhaps_unacknowledged
    {
        return Err(model.wrong("an unexpected number of download events", &granted));
    }
    (model.unacknowledged, model.perhaps_unacknowledged) = (granted - acknowledged, 0);
    if model.limit.is_some_and(|limit| granted > limit) {
        return Err(model.wrong("the download limit is exceeded", &granted));
    }
    let exactly = [
        ("transfer_created", Fact::Yes),
        ("transfer_completed", model.completed),
        ("transfer_deleted", model.deleted),
        ("transfer_exhausted", if model.exhausted() { Fact::Yes } else { Fact::No }),
    ];
    for (kind, fact) in exactly {
        if of(kind) != usize::from(fact == Fact::Yes) {
            return Err(model.wrong(&format!("an unexpected number of {kind} events"), &of(kind)));
        }
    }
    for (kind, may) in [("transfer_expired", model.brief), ("payload_removed", model.ended() || model.brief)] {
        if of(kind) > usize::from(may) {
            return Err(model.wrong(&format!("too many {kind} events"), &of(kind)));
        }
    }
    for event in records.iter().filter(|record| {
        // Other requests may be recorded only after the last byte of the response.
        record["kind"] == "transfer_created" || record["kind"] == "transfer_completed"
    }) {
        let is_request = |record: &&Value| record["type"] == "request" && record["request_id"] == event["request_id"];
        if records.iter().filter(is_request).count() != 1 {
            return Err(model.wrong("an event has no request record", event));
        }
    }
    Ok(())
}

/// Checks the download counter. Counters of unlimited transfers are written once a second: they may lag, but never
/// lead.
fn check_count(model: &TransferModel, status: &Value) -> Result<(), Trouble> {
    let (count, used) = (status["download_count"].as_u64(), model.used() as u64);
    let holds = count.is_some_and(|count| if model.limit.is_some() { count == used } else { count <= used });
    if holds { Ok(()) } else { Err(model.wrong("the download counter is wrong", &count)) }
}

/// Checks that a downloadable payload equals the upload, and that other payloads are refused.
async fn check_payload(client: &Client, model: &mut TransferModel, status: &str) -> Result<(), Trouble> {
    let code = match status {
        "pending" => "not_completed",
        "deleted" => "transfer_deleted",
        "expired" => "transfer_expired",
        _ => {
            let Some((grant, _)) = model.grants.first().cloned() else { return Ok(()) };
            let response = client.get(&model.path(&format!("payload/download-bytes?grant={grant}"))).await?;
            return compare(model, &response);
        }
    };
    for path in ["payload/download-bytes".to_owned()]
        .into_iter()
        .chain(model.grants.first().map(|(grant, _)| format!("payload/download-bytes?grant={grant}")))
    {
        let found = client.get(&model.path(&path)).await?.outcome()?.1;
        if found != code && !model.is_over(&found) {
            return Err(model.wrong("a refused payload is downloadable", &found));
        }
    }
    Ok(())
}
