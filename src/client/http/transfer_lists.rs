//! Calls of both services for lists of transfers, and for changes of several objects.

use reqwest::Method;
use serde::Serialize;
use serde_json::Value;
use url::Url;

use super::api::JsonBody;
use super::response;
use crate::client::{AdminApi, Api, ClientError};
use crate::domain::id::TokenId;
use crate::domain::wire::{
    DeleteTransfers, DeletedTransfers, OwnTransferQuery, TransferPage, TransferQuery, UpdateToken, UpdatedToken,
};

impl Api {
    /// Returns a page of the transfers of the sender token, newest first.
    pub async fn list_transfers(&self, query: &OwnTransferQuery) -> Result<TransferPage, ClientError> {
        let request = self.get(with_query(self.base_url().join("/transfers/list"), query));
        response::call(self.destination(), "transfers/list", self.as_sender(request)?).await
    }
}

impl AdminApi {
    /// Returns a page of the transfers of all senders.
    pub async fn list_transfers(&self, query: &TransferQuery) -> Result<TransferPage, ClientError> {
        let url = with_query(self.url("/transfers/list"), query);
        self.call("transfers/list", self.request(Method::GET, url)).await
    }

    /// Deletes several transfers. Idempotent.
    pub async fn delete_many(&self, transfers: &DeleteTransfers) -> Result<DeletedTransfers, ClientError> {
        let request = self.request(Method::POST, self.url("/transfers/delete-many")).json_body(transfers);
        self.call("transfers/delete-many", request).await
    }

    /// Changes a sender token. Idempotent, except that an expiry counts from now, and that a webhook gets
    /// a new secret.
    pub async fn update_token(&self, id: TokenId, update: &UpdateToken) -> Result<UpdatedToken, ClientError> {
        let url = self.url(&format!("/tokens/id/{id}/update"));
        self.call("tokens/update", self.request(Method::POST, url).json_body(update)).await
    }
}

/// Adds the members of `query` that are present to a URL.
fn with_query(mut url: Url, query: &impl Serialize) -> Url {
    let members = serde_json::to_value(query).expect("queries have only string keys");
    for (name, value) in members.as_object().into_iter().flatten() {
        match value {
            Value::String(text) => url.query_pairs_mut().append_pair(name, text),
            other => url.query_pairs_mut().append_pair(name, &other.to_string()),
        };
    }
    url
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::transfer::Status;
    use crate::domain::wire::{StatusFilter, TransferOrder};

    #[test]
    fn only_present_members_are_sent() {
        let url = || Url::parse("https://send.example.org/transfers/list").unwrap();
        assert_eq!(with_query(url(), &TransferQuery::default()), url());
        let query = TransferQuery {
            limit: Some(5),
            state: Some(StatusFilter::of([Status::Pending, Status::Completed])),
            order: Some(TransferOrder::Size),
            ..TransferQuery::default()
        };
        assert_eq!(with_query(url(), &query).query(), Some("limit=5&state=pending%2Ccompleted&order=size"));
    }
}
