//! A sender that creates, uploads, completes, downloads and deletes transfers, and checks the responses.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures_util::future::join_all;

use crate::dice::Dice;
use crate::known::{Fact, Known, Trouble};
use crate::wire::{Answer, Client, text};

/// Number of concurrent grant requests in a rush.
const RUSH: usize = 4;

/// A sender with exclusive use of its transfers.
pub(crate) struct Sender {
    pub(crate) dice: Dice,
    /// Transfers in progress.
    pub(crate) current: Vec<Known>,
    /// Transfers that the sender no longer changes.
    pub(crate) old: Vec<Known>,
    /// Maximum size of a payload and of one upload request, in bytes.
    pub(crate) largest: usize,
}

impl Sender {
    pub(crate) fn new(dice: Dice, largest: usize) -> Self {
        Self { dice, current: Vec::new(), old: Vec::new(), largest }
    }

    /// Works until the connection is lost or the server breaks a guarantee.
    pub(crate) async fn work(&mut self, client: &Client) -> Result<(), String> {
        loop {
            self.retire();
            if self.current.len() < 2 {
                self.current.push(Known::new(&mut self.dice, self.largest));
            }
            let at = self.dice.within(0..self.current.len());
            match step(client, &mut self.current[at], &mut self.dice).await {
                Ok(()) => {}
                Err(Trouble::Lost) => return Ok(()),
                Err(Trouble::Wrong(what)) => return Err(what),
            }
        }
    }

    fn retire(&mut self) {
        let dice = &mut self.dice;
        let over = |known: &mut Known| {
            known.ended() || (known.completed == Fact::Yes && known.used() > 3 && dice.percent(30)) || {
                known.exhausted() && dice.percent(10)
            }
        };
        self.old.extend(self.current.extract_if(.., over));
    }
}

async fn step(client: &Client, known: &mut Known, dice: &mut Dice) -> Result<(), Trouble> {
    if known.created != Fact::Yes {
        return create(client, known).await;
    }
    let left = known.content.len() - known.acknowledged;
    match (known.completed, dice.within(0..20)) {
        (_, 0) if dice.percent(30) => delete(client, known).await,
        (_, 1) if dice.percent(30) => create(client, known).await,
        (Fact::Yes, 0..=6) => ask(client, known, dice).await,
        (Fact::Yes, 7..=8) => rush(client, known, dice).await,
        (Fact::Yes, 9..=11) => fetch_uncounted(client, known).await,
        (Fact::Yes, 12) => delete(client, known).await,
        (Fact::Yes, _) => fetch(client, known, dice).await,
        (_, 2) => ask(client, known, dice).await,
        (_, 3) => complete(client, known).await,
        _ if left > 0 => upload(client, known, dice).await,
        _ => complete(client, known).await,
    }
}

/// Records the expiry of a one-minute transfer; otherwise requires this status and code.
fn expect(known: &mut Known, answer: &Answer, status: u16, code: &str, what: &str) -> Result<bool, Trouble> {
    let outcome = answer.outcome()?;
    if outcome == (status, code.to_owned()) {
        return Ok(true);
    }
    if known.is_over(&outcome.1) {
        known.expired = Fact::Yes;
        return Ok(false);
    }
    Err(known.wrong(what, &outcome))
}

/// Creates the transfer; a repeated request must return the same transfer.
pub(crate) async fn create(client: &Client, known: &mut Known) -> Result<(), Trouble> {
    let limit = known.limit.map(|limit| format!(r#","max_downloads":{limit}"#)).unwrap_or_default();
    let brief = if known.brief { r#","expires_in_s":60"# } else { "" };
    let size = known.content.len();
    let body = format!(r#"{{"size_bytes":{size},"idempotency_key":"{}"{limit}{brief}}}"#, known.key);
    if known.created == Fact::No {
        known.created = Fact::Perhaps;
    }
    let answer = client.post("/transfers/create", body).await?;
    expect(known, &answer, 201, "", "create is refused")?;
    let id = text(&answer.json()?, "transfer_id");
    if known.created == Fact::Yes && known.id != id {
        return Err(known.wrong("a repeated create returns another transfer", &id));
    }
    known.id = id;
    known.created = Fact::Yes;
    Ok(())
}

async fn upload(client: &Client, known: &mut Known, dice: &mut Dice) -> Result<(), Trouble> {
    let (start, size) = (known.acknowledged, known.content.len());
    let end = if dice.percent(40) { size } else { start + dice.within(0..size - start) + 1 };
    known.sent = known.sent.max(end);
    let path = known.path(&format!("payload/upload-bytes?offset={start}"));
    let answer = client.post(&path, known.content.slice(start..end)).await?;
    if expect(known, &answer, 200, "", "bytes are refused")? {
        let received = answer.json()?["received_bytes"].as_u64();
        if received != Some(end as u64) {
            return Err(known.wrong("an unexpected number of bytes is acknowledged", &received));
        }
        known.acknowledged = end;
    }
    Ok(())
}

async fn complete(client: &Client, known: &mut Known) -> Result<(), Trouble> {
    if known.acknowledged < known.content.len() {
        let answer = client.post(&known.path("upload/complete"), "{}").await?;
        return expect(known, &answer, 409, "upload_incomplete", "an incomplete upload is completed").map(drop);
    }
    known.completed = Fact::Perhaps;
    let answer = client.post(&known.path("upload/complete"), "{}").await?;
    known.completed = if expect(known, &answer, 200, "", "complete is refused")? { Fact::Yes } else { Fact::No };
    Ok(())
}

fn new_grant(dice: &mut Dice) -> String {
    URL_SAFE_NO_PAD.encode(dice.bytes(32))
}

async fn ask_with(client: &Client, known: &Known, grant: &str) -> Result<Answer, crate::wire::Lost> {
    client.post(&known.path("download/create-presign-url"), format!(r#"{{"grant":"{grant}"}}"#)).await
}

/// Requests a download under a new grant.
async fn ask(client: &Client, known: &mut Known, dice: &mut Dice) -> Result<(), Trouble> {
    let (grant, exhausted) = (new_grant(dice), known.exhausted());
    if known.completed != Fact::Yes {
        let answer = ask_with(client, known, &grant).await?;
        return expect(known, &answer, 409, "not_completed", "an incomplete payload is downloadable").map(drop);
    }
    let at = known.grants.len();
    known.grants.push((grant.clone(), Fact::Perhaps));
    let answer = ask_with(client, known, &grant).await?;
    let (status, code) = if exhausted { (410, "transfer_exhausted") } else { (200, "") };
    let as_wanted = expect(known, &answer, status, code, "a download is counted incorrectly")?;
    if as_wanted && !exhausted {
        known.grants[at].1 = Fact::Yes;
    } else {
        known.grants.truncate(at);
    }
    Ok(())
}

/// Requests several downloads concurrently: exactly the remaining downloads are granted.
async fn rush(client: &Client, known: &mut Known, dice: &mut Dice) -> Result<(), Trouble> {
    let left = known.limit.map_or(RUSH, |limit| limit.saturating_sub(known.used())).min(RUSH);
    let grants: Vec<_> = (0..RUSH).map(|_| new_grant(dice)).collect();
    let answers = join_all(grants.iter().map(|grant| ask_with(client, known, grant))).await;
    let (mut granted, mut refused, mut lost) = (0, 0, false);
    for (grant, answer) in grants.into_iter().zip(answers) {
        match answer.map_err(Trouble::from).and_then(|answer| Ok(answer.outcome()?)) {
            Ok((200, _)) => {
                granted += 1;
                known.grants.push((grant, Fact::Yes));
            }
            Ok((410, code)) if code == "transfer_exhausted" => refused += 1,
            Ok((410, code)) if known.is_over(&code) => known.expired = Fact::Yes,
            Ok(outcome) => return Err(known.wrong("unexpected response to concurrent grants", &outcome)),
            Err(_) => {
                lost = true;
                known.grants.push((grant, Fact::Perhaps));
            }
        }
    }
    let too_few = refused > RUSH - left || (!lost && known.expired == Fact::No && granted < left);
    if granted > left || too_few {
        return Err(known.wrong("concurrent grants are counted incorrectly", &(granted, refused, left)));
    }
    if lost { Err(Trouble::Lost) } else { Ok(()) }
}

/// Downloads the payload under a grant, and compares the received bytes.
async fn fetch(client: &Client, known: &mut Known, dice: &mut Dice) -> Result<(), Trouble> {
    let Some(grant) = known.grant(dice) else { return Ok(()) };
    let answer = client.get(&known.path(&format!("payload/download-bytes?grant={grant}"))).await?;
    compare(known, &answer)
}

/// Requires that the received bytes equal the payload, or, if the response was cut off, a prefix of the payload.
pub(crate) fn compare(known: &mut Known, answer: &Answer) -> Result<(), Trouble> {
    if answer.status == 200 {
        if !known.content.starts_with(answer.so_far()) {
            return Err(known.wrong("the downloaded bytes differ", &answer.so_far().len()));
        }
        if answer.whole()?.len() != known.content.len() {
            return Err(known.wrong("a partial payload is served as complete", &answer.so_far().len()));
        }
    }
    expect(known, answer, 200, "", "a download is refused").map(drop)
}

/// Downloads the payload without a grant, which counts a download.
async fn fetch_uncounted(client: &Client, known: &mut Known) -> Result<(), Trouble> {
    let exhausted = known.exhausted();
    known.untold_perhaps += 1;
    let answer = client.get(&known.path("payload/download-bytes")).await?;
    if exhausted {
        expect(known, &answer, 410, "transfer_exhausted", "the download limit is exceeded")?;
    } else {
        known.grants.extend(answer.grant().map(|grant| (grant, Fact::Yes)));
    }
    known.untold_perhaps -= 1;
    if exhausted { Ok(()) } else { compare(known, &answer) }
}

async fn delete(client: &Client, known: &mut Known) -> Result<(), Trouble> {
    known.deleted = Fact::Perhaps;
    let (status, code) = client.post(&known.path("delete"), "{}").await?.outcome()?;
    if (status, code.as_str()) != (200, "") {
        return Err(known.wrong("delete is refused", &(status, code)));
    }
    known.deleted = Fact::Yes;
    Ok(())
}
