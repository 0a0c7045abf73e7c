//! A sender that uses transfers in all ways, from creation to deletion, and checks the responses.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures_util::future::join_all;

use crate::http_client::{Client, HttpResponse, text};
use crate::random::Random;
use crate::transfer_model::{Fact, TransferModel, Trouble};

/// Number of concurrent grant requests in a rush.
const RUSH: usize = 4;

/// A sender with exclusive use of its transfers.
pub(crate) struct Sender {
    pub(crate) random: Random,
    /// Transfers in progress.
    pub(crate) current: Vec<TransferModel>,
    /// Transfers that the sender no longer changes.
    pub(crate) old: Vec<TransferModel>,
    /// Maximum size of a payload and of one upload request, in bytes.
    pub(crate) largest: usize,
}

impl Sender {
    pub(crate) fn new(random: Random, largest: usize) -> Self {
        Self { random, current: Vec::new(), old: Vec::new(), largest }
    }

    /// Works until the connection is lost or the server breaks a guarantee.
    pub(crate) async fn work(&mut self, client: &Client) -> Result<(), String> {
        loop {
            self.retire();
            if self.current.len() < 2 {
                self.current.push(TransferModel::new(&mut self.random, self.largest));
            }
            let at = self.random.within(0..self.current.len());
            match step(client, &mut self.current[at], &mut self.random).await {
                Ok(()) => {}
                Err(Trouble::Lost) => return Ok(()),
                Err(Trouble::Wrong(what)) => return Err(what),
            }
        }
    }

    fn retire(&mut self) {
        let random = &mut self.random;
        let over = |model: &mut TransferModel| {
            model.ended() || (model.completed == Fact::Yes && model.used() > 3 && random.percent(30)) || {
                model.exhausted() && random.percent(10)
            }
        };
        self.old.extend(self.current.extract_if(.., over));
    }
}

async fn step(client: &Client, model: &mut TransferModel, random: &mut Random) -> Result<(), Trouble> {
    if model.created != Fact::Yes {
        return create(client, model).await;
    }
    let remaining = model.content.len() - model.acknowledged;
    match (model.completed, random.within(0..20)) {
        (_, 0) if random.percent(30) => delete(client, model).await,
        (_, 1) if random.percent(30) => create(client, model).await,
        (Fact::Yes, 0..=6) => ask(client, model, random).await,
        (Fact::Yes, 7..=8) => rush(client, model, random).await,
        (Fact::Yes, 9..=11) => fetch_uncounted(client, model).await,
        (Fact::Yes, 12) => delete(client, model).await,
        (Fact::Yes, _) => download(client, model, random).await,
        (_, 2) => ask(client, model, random).await,
        (_, 3) => complete(client, model).await,
        _ if remaining > 0 => upload(client, model, random).await,
        _ => complete(client, model).await,
    }
}

/// Records the expiry of a one-minute transfer; otherwise requires this status and code.
fn expect(
    model: &mut TransferModel,
    response: &HttpResponse,
    status: u16,
    code: &str,
    what: &str,
) -> Result<bool, Trouble> {
    let outcome = response.outcome()?;
    if outcome == (status, code.to_owned()) {
        return Ok(true);
    }
    if model.is_over(&outcome.1) {
        model.expired = Fact::Yes;
        return Ok(false);
    }
    Err(model.wrong(what, &outcome))
}

/// Creates the transfer; a repeated request must return the same transfer.
pub(crate) async fn create(client: &Client, model: &mut TransferModel) -> Result<(), Trouble> {
    let limit = model.limit.map(|limit| format!(r#","max_downloads":{limit}"#)).unwrap_or_default();
    let brief = if model.brief { r#","expires_in_s":60"# } else { "" };
    let size = model.content.len();
    let body = format!(r#"{{"size_bytes":{size},"idempotency_key":"{}"{limit}{brief}}}"#, model.key);
    if model.created == Fact::No {
        model.created = Fact::Perhaps;
    }
    let response = client.post("/transfers/create", body).await?;
    expect(model, &response, 201, "", "create is refused")?;
    let id = text(&response.json()?, "transfer_id");
    if model.created == Fact::Yes && model.id != id {
        return Err(model.wrong("a repeated create returns another transfer", &id));
    }
    model.id = id;
    model.created = Fact::Yes;
    Ok(())
}

async fn upload(client: &Client, model: &mut TransferModel, random: &mut Random) -> Result<(), Trouble> {
    let (start, size) = (model.acknowledged, model.content.len());
    let end = if random.percent(40) { size } else { start + random.within(0..size - start) + 1 };
    model.sent = model.sent.max(end);
    let path = model.path(&format!("payload/upload-bytes?offset={start}"));
    let response = client.post(&path, model.content.slice(start..end)).await?;
    if expect(model, &response, 200, "", "bytes are refused")? {
        let received = response.json()?["received_bytes"].as_u64();
        if received != Some(end as u64) {
            return Err(model.wrong("an unexpected number of bytes is acknowledged", &received));
        }
        model.acknowledged = end;
    }
    Ok(())
}

async fn complete(client: &Client, model: &mut TransferModel) -> Result<(), Trouble> {
    if model.acknowledged < model.content.len() {
        let response = client.post(&model.path("upload/complete"), "{}").await?;
        return expect(model, &response, 409, "upload_incomplete", "an incomplete upload is completed").map(drop);
    }
    model.completed = Fact::Perhaps;
    let response = client.post(&model.path("upload/complete"), "{}").await?;
    model.completed = if expect(model, &response, 200, "", "complete is refused")? { Fact::Yes } else { Fact::No };
    Ok(())
}

fn new_grant(random: &mut Random) -> String {
    URL_SAFE_NO_PAD.encode(random.bytes(32))
}

async fn ask_with(
    client: &Client,
    model: &TransferModel,
    grant: &str,
) -> Result<HttpResponse, crate::http_client::Lost> {
    client.post(&model.path("download/create-presign-url"), format!(r#"{{"grant":"{grant}"}}"#)).await
}

/// Requests a download under a new grant.
async fn ask(client: &Client, model: &mut TransferModel, random: &mut Random) -> Result<(), Trouble> {
    let (grant, exhausted) = (new_grant(random), model.exhausted());
    if model.completed != Fact::Yes {
        let response = ask_with(client, model, &grant).await?;
        return expect(model, &response, 409, "not_completed", "an incomplete payload is downloadable").map(drop);
    }
    let at = model.grants.len();
    model.grants.push((grant.clone(), Fact::Perhaps));
    let response = ask_with(client, model, &grant).await?;
    let (status, code) = if exhausted { (410, "transfer_exhausted") } else { (200, "") };
    let as_wanted = expect(model, &response, status, code, "a download is counted incorrectly")?;
    if as_wanted && !exhausted {
        model.grants[at].1 = Fact::Yes;
    } else {
        model.grants.truncate(at);
    }
    Ok(())
}

/// Requests several downloads concurrently: exactly the remaining downloads are granted.
async fn rush(client: &Client, model: &mut TransferModel, random: &mut Random) -> Result<(), Trouble> {
    let remaining = model.limit.map_or(RUSH, |limit| limit.saturating_sub(model.used())).min(RUSH);
    let grants: Vec<_> = (0..RUSH).map(|_| new_grant(random)).collect();
    let responses = join_all(grants.iter().map(|grant| ask_with(client, model, grant))).await;
    let (mut granted, mut rejected, mut lost) = (0, 0, false);
    for (grant, response) in grants.into_iter().zip(responses) {
        match response.map_err(Trouble::from).and_then(|response| Ok(response.outcome()?)) {
            Ok((200, _)) => {
                granted += 1;
                model.grants.push((grant, Fact::Yes));
            }
            Ok((410, code)) if code == "transfer_exhausted" => rejected += 1,
            Ok((410, code)) if model.is_over(&code) => model.expired = Fact::Yes,
            Ok(outcome) => return Err(model.wrong("unexpected response to concurrent grants", &outcome)),
            Err(_) => {
                lost = true;
                model.grants.push((grant, Fact::Perhaps));
            }
        }
    }
    let too_few = rejected > RUSH - remaining || (!lost && model.expired == Fact::No && granted < remaining);
    if granted > remaining || too_few {
        return Err(model.wrong("concurrent grants are counted incorrectly", &(granted, rejected, remaining)));
    }
    if lost { Err(Trouble::Lost) } else { Ok(()) }
}

/// Downloads the payload under a grant, and compares the received bytes.
async fn download(client: &Client, model: &mut TransferModel, random: &mut Random) -> Result<(), Trouble> {
    let Some(grant) = model.grant(random) else { return Ok(()) };
    let response = client.get(&model.path(&format!("payload/download-bytes?grant={grant}"))).await?;
    compare(model, &response)
}

/// Requires that the received bytes equal the payload. A response that was cut off has a prefix of the payload.
pub(crate) fn compare(model: &mut TransferModel, response: &HttpResponse) -> Result<(), Trouble> {
    if response.status == 200 {
        if !model.content.starts_with(response.so_far()) {
            return Err(model.wrong("the downloaded bytes differ", &response.so_far().len()));
        }
        if response.whole()?.len() != model.content.len() {
            return Err(model.wrong("a partial payload is served as complete", &response.so_far().len()));
        }
    }
    expect(model, response, 200, "", "a download is refused").map(drop)
}

/// Downloads the payload without a grant, which counts a download.
async fn fetch_uncounted(client: &Client, model: &mut TransferModel) -> Result<(), Trouble> {
    let exhausted = model.exhausted();
    model.perhaps_unacknowledged += 1;
    let response = client.get(&model.path("payload/download-bytes")).await?;
    if exhausted {
        expect(model, &response, 410, "transfer_exhausted", "the download limit is exceeded")?;
    } else {
        model.grants.extend(response.grant().map(|grant| (grant, Fact::Yes)));
    }
    model.perhaps_unacknowledged -= 1;
    if exhausted { Ok(()) } else { compare(model, &response) }
}

async fn delete(client: &Client, model: &mut TransferModel) -> Result<(), Trouble> {
    model.deleted = Fact::Perhaps;
    let (status, code) = client.post(&model.path("delete"), "{}").await?.outcome()?;
    if (status, code.as_str()) != (200, "") {
        return Err(model.wrong("delete is refused", &(status, code)));
    }
    model.deleted = Fact::Yes;
    Ok(())
}
