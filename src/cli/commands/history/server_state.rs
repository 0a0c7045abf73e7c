//! States of uploads from their servers, with few requests and in bounded time.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use futures_util::{StreamExt, stream};

use crate::cli::context::Context;
use crate::client::{Api, ClientError, HistoryEntry};
use crate::domain::base_url::BaseUrl;
use crate::domain::error::ErrorCode;
use crate::domain::id::TransferId;
use crate::domain::link::Link;
use crate::domain::transfer::Status;
use crate::domain::wire::{LinkStatus, OwnTransferQuery};

/// Maximum time for all requests.
const TIME_LIMIT: Duration = Duration::from_secs(5);
/// Maximum number of servers, those of the latest uploads.
const MAX_SERVERS: usize = 4;
/// Maximum number of transfers asked for one by one, the latest ones.
const MAX_SINGLE: usize = 20;
/// Number of concurrent requests.
const CONCURRENCY: usize = 4;
/// Transfers in the one list that is read of each server with a token.
const LISTED: u32 = 1_000;

/// State of a transfer as its server says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ServerState {
    /// Status; `None` if the server does not know the transfer: its records are removed.
    pub(super) status: Option<Status>,
    /// Number of counted downloads.
    pub(super) downloads: u64,
    /// Whether the number is that of all links, not of the own link only.
    pub(super) is_total: bool,
}

/// States of transfers, and the servers that did not respond.
#[derive(Debug, Default)]
pub(super) struct ServerStates {
    pub(super) states: HashMap<TransferId, ServerState>,
    pub(super) silent: Vec<BaseUrl>,
}

/// Asks the servers of uploads that have not ended, as far as is known.
pub(super) async fn ask(entries: &[HistoryEntry], context: &Context) -> ServerStates {
    let mut servers: Vec<(BaseUrl, Vec<TransferId>)> = Vec::new();
    for entry in entries.iter().rev().filter(|entry| entry.ended.is_none()) {
        let Ok(link) = entry.link.parse::<Link>() else { continue };
        let known = servers.iter().position(|(server, _)| *server == link.base_url);
        match known {
            Some(at) => servers[at].1.push(entry.transfer_id),
            None if servers.len() < MAX_SERVERS => servers.push((link.base_url, vec![entry.transfer_id])),
            None => {}
        }
    }
    let mut answers = BTreeMap::new();
    let asked = stream::iter(servers.iter().enumerate())
        .map(async |(number, (server, ids))| (number, of_server(server, ids, context).await));
    let mut asked = std::pin::pin!(asked.buffer_unordered(MAX_SERVERS));
    let deadline = tokio::time::Instant::now() + TIME_LIMIT;
    while let Ok(Some((number, answer))) = tokio::time::timeout_at(deadline, asked.next()).await {
        answers.insert(number, answer);
    }
    let mut found = ServerStates::default();
    for (number, (server, _)) in servers.iter().enumerate() {
        match answers.remove(&number) {
            Some(Ok(states)) => found.states.extend(states),
            Some(Err(())) | None => found.silent.push(server.clone()),
        }
    }
    found
}

/// Asks one server by one list with its token.
///
/// Then asks one by one for the latest transfers that the list does not have.
async fn of_server(
    server: &BaseUrl,
    ids: &[TransferId],
    context: &Context,
) -> Result<HashMap<TransferId, ServerState>, ()> {
    let api = match context.api(server.clone()).await {
        Ok(api) => api,
        Err(_) => context.anonymous_api(server.clone()).map_err(drop)?,
    };
    let query = OwnTransferQuery { limit: Some(LISTED), ..OwnTransferQuery::default() };
    let mut states = HashMap::new();
    if api.has_token()
        && let Ok(page) = api.list_transfers(&query).await
    {
        let listed = page.items.into_iter();
        states.extend(listed.map(|item| {
            (
                item.transfer_id,
                ServerState { status: Some(item.status), downloads: item.download_count, is_total: true },
            )
        }));
    }
    let single = ids.iter().filter(|id| !states.contains_key(*id)).take(MAX_SINGLE).copied().collect::<Vec<_>>();
    let found = stream::iter(single).map(async |id| (id, of_transfer(&api, id).await)).buffer_unordered(CONCURRENCY);
    for (id, state) in found.collect::<Vec<_>>().await {
        states.insert(id, state.map_err(drop)?);
    }
    states.retain(|id, _| ids.contains(id));
    Ok(states)
}

async fn of_transfer(api: &Api, id: TransferId) -> Result<ServerState, ClientError> {
    match api.status(id, None).await {
        Ok(LinkStatus::Full(found)) => {
            Ok(ServerState { status: Some(found.status), downloads: found.download_count, is_total: false })
        }
        Ok(LinkStatus::Redacted(found)) => {
            Ok(ServerState { status: Some(found.status), downloads: 0, is_total: false })
        }
        Err(ClientError::Api(error)) if error.code == Some(ErrorCode::TransferNotFound) => {
            Ok(ServerState { status: None, downloads: 0, is_total: false })
        }
        Err(error) => Err(error),
    }
}
