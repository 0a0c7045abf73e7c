//! Every route of both services: what it does, as the audit trail names it, and how it can be refused.

use http::Method;

use crate::domain::audit::{ActionName, ServiceName};
#[allow(clippy::enum_glob_use, reason = "the table below is lists of codes, and nothing else")]
use crate::domain::error::ErrorCode::{self, *};

/// One route of one service.
#[derive(Clone, Copy, Debug)]
pub struct Route {
    /// Which service has it.
    pub service: ServiceName,
    /// The method.
    pub method: &'static str,
    /// The path's template.
    pub template: &'static str,
    /// What it does; `None` where requests leave no records: health, documents and pages.
    pub action: Option<ActionName>,
    /// The codes of its refusals, in groups that belong together.
    codes: &'static [&'static [ErrorCode]],
}

/// The codes that any recorded route may have.
const ANYWHERE: &[ErrorCode] = &[RateLimited, InternalError, StorageUnavailable, StorageFull];
/// The codes of a route that leaves no records.
const UNRECORDED: &[ErrorCode] = &[RateLimited, InternalError, StorageUnavailable];

/// What an id in the path can be refused with.
const ID: &[ErrorCode] = &[InvalidId];
/// What a query can be refused with.
const QUERY: &[ErrorCode] = &[InvalidRequest];
/// What a body can be refused with.
const BODY: &[ErrorCode] = &[InvalidRequest, PayloadTooLarge, RequestTimeout];
/// What a transfer of anyone's can be refused with.
const FOUND: &[ErrorCode] = &[InvalidId, TransferNotFound];
/// What a sender token can be refused with, where one is needed.
const SENDER: &[ErrorCode] = &[TokenMissing, TokenInvalid, TokenRevoked, TokenExpired];
/// What a transfer can be refused with to its sender.
const OWNED: &[ErrorCode] =
    &[InvalidId, TokenMissing, TokenInvalid, TokenRevoked, TokenExpired, TransferNotFound, NotYourTransfer];
/// What a transfer can be refused with to whoever may show a sender token.
const VIEWED: &[ErrorCode] = &[InvalidId, TokenInvalid, TokenRevoked, TokenExpired, TransferNotFound, NotYourTransfer];
/// What a recipient's proofs can be refused with.
const PROOFS: &[ErrorCode] = &[InvalidRequest, AccessRequired, AccessInvalid, GrantExpired];
/// Why an upload is over.
const UPLOAD_OVER: &[ErrorCode] = &[TransferExpired, TransferDeleted, SizeMismatch];
/// Why there is nothing to download.
const NOT_DOWNLOADABLE: &[ErrorCode] = &[NotCompleted, TransferExpired, TransferExhausted, TransferDeleted];
/// What an admin's key can be refused with.
const ADMIN: &[ErrorCode] = &[AdminKeyInvalid];
/// What an admin's change can be refused with.
const ADMIN_CHANGE: &[ErrorCode] =
    &[AdminKeyInvalid, OriginNotAllowed, InvalidRequest, PayloadTooLarge, RequestTimeout];

const fn public(
    method: &'static str,
    template: &'static str,
    action: ActionName,
    codes: &'static [&'static [ErrorCode]],
) -> Route {
    Route { service: ServiceName::Public, method, template, action: Some(action), codes }
}

const fn admin(
    method: &'static str,
    template: &'static str,
    action: ActionName,
    codes: &'static [&'static [ErrorCode]],
) -> Route {
    Route { service: ServiceName::Admin, method, template, action: Some(action), codes }
}

const fn unrecorded(service: ServiceName, template: &'static str, codes: &'static [&'static [ErrorCode]]) -> Route {
    Route { service, method: "GET", template, action: None, codes }
}

const DOWNLOAD_BYTES: &str = "/transfers/id/{transfer_id}/payload/download-bytes";
const DOWNLOAD_CODES: &[&[ErrorCode]] =
    &[FOUND, PROOFS, NOT_DOWNLOADABLE, &[GrantInvalid, RangeNotSatisfiable, WrongMode]];

/// The table.
pub const ROUTES: &[Route] = &[
    unrecorded(ServiceName::Public, "/health", &[]),
    unrecorded(ServiceName::Public, "/health/ready", &[]),
    public(
        "POST",
        "/transfers/create",
        ActionName::TransferCreate,
        &[SENDER, BODY, &[IdempotencyMismatch, QuotaExceeded]],
    ),
    public("GET", "/token/status", ActionName::TokenStatus, &[SENDER]),
    public(
        "POST",
        "/transfers/id/{transfer_id}/payload/upload-bytes",
        ActionName::PayloadUpload,
        &[OWNED, BODY, UPLOAD_OVER, &[TransferNotPending, OffsetMismatch, UploadInProgress, WrongMode]],
    ),
    public("GET", "/transfers/id/{transfer_id}/upload/status", ActionName::UploadStatus, &[OWNED]),
    public(
        "POST",
        "/transfers/id/{transfer_id}/upload/create-presign-urls",
        ActionName::UploadPresign,
        &[OWNED, BODY, UPLOAD_OVER, &[TransferNotPending, WrongMode]],
    ),
    public(
        "POST",
        "/transfers/id/{transfer_id}/upload/complete",
        ActionName::UploadComplete,
        &[OWNED, BODY, UPLOAD_OVER, &[UploadIncomplete, UploadInProgress]],
    ),
    public("GET", "/transfers/id/{transfer_id}/status", ActionName::TransferStatus, &[FOUND]),
    public(
        "POST",
        "/transfers/id/{transfer_id}/download/create-presign-url",
        ActionName::DownloadGrant,
        &[FOUND, BODY, PROOFS, NOT_DOWNLOADABLE],
    ),
    public("GET", DOWNLOAD_BYTES, ActionName::PayloadDownload, DOWNLOAD_CODES),
    public("HEAD", DOWNLOAD_BYTES, ActionName::PayloadDownload, DOWNLOAD_CODES),
    public(
        "POST",
        "/transfers/id/{transfer_id}/events/add",
        ActionName::EventAdd,
        &[FOUND, BODY, PROOFS, &[GrantInvalid, NotCompleted, EventLimitReached]],
    ),
    public("GET", "/transfers/id/{transfer_id}/events/list", ActionName::EventList, &[VIEWED, QUERY]),
    public("GET", "/transfers/id/{transfer_id}/actions/list", ActionName::ActionList, &[VIEWED, QUERY]),
    public("POST", "/transfers/id/{transfer_id}/delete", ActionName::TransferDelete, &[OWNED, BODY]),
    unrecorded(ServiceName::Public, "/d/{transfer_id}", &[ID]),
    unrecorded(ServiceName::Public, "/", &[]),
    unrecorded(ServiceName::Public, "/web/{file}", &[&[RouteNotFound]]),
    unrecorded(ServiceName::Public, "/save/worker.js", &[]),
    unrecorded(ServiceName::Public, "/openapi.json", &[]),
    unrecorded(ServiceName::Public, "/docs", &[]),
    unrecorded(ServiceName::Admin, "/health", &[]),
    unrecorded(ServiceName::Admin, "/health/ready", &[]),
    admin("POST", "/tokens/create", ActionName::TokenCreate, &[ADMIN_CHANGE]),
    admin("GET", "/tokens/list", ActionName::TokenList, &[ADMIN, QUERY]),
    admin("POST", "/tokens/id/{token_id}/revoke", ActionName::TokenRevoke, &[ID, ADMIN_CHANGE, &[TokenNotFound]]),
    admin("GET", "/stats/overview", ActionName::StatsRead, &[ADMIN]),
    admin("GET", "/audit/transfers/id/{transfer_id}/all", ActionName::AuditRead, &[FOUND, ADMIN, QUERY]),
    admin("POST", "/transfers/id/{transfer_id}/delete", ActionName::TransferDelete, &[FOUND, ADMIN_CHANGE]),
    unrecorded(ServiceName::Admin, "/metrics", &[ADMIN]),
    unrecorded(ServiceName::Admin, "/", &[]),
    unrecorded(ServiceName::Admin, "/web/{file}", &[&[RouteNotFound]]),
    unrecorded(ServiceName::Admin, "/auth/set-cookie-form", &[]),
    unrecorded(ServiceName::Admin, "/auth/set-cookie-form.js", &[]),
    admin("POST", "/auth/set-auth-cookie", ActionName::SessionCreate, &[ADMIN_CHANGE]),
    admin("POST", "/auth/end-session", ActionName::SessionEnd, &[ADMIN_CHANGE]),
    unrecorded(ServiceName::Admin, "/openapi.json", &[]),
    unrecorded(ServiceName::Admin, "/docs", &[]),
];

impl Route {
    /// Finds the route that answers `method` at `template`; HEAD is answered by GET where it has no route of its own.
    #[must_use]
    pub fn find(service: ServiceName, method: &Method, template: &str) -> Option<&'static Self> {
        let at = |method: &str| {
            let is_it =
                |route: &&Self| route.service == service && route.template == template && route.method == method;
            ROUTES.iter().find(is_it)
        };
        at(method.as_str()).or_else(|| if *method == Method::HEAD { at("GET") } else { None })
    }

    /// Every code that its refusals may have.
    pub fn every_code(&self) -> impl Iterator<Item = ErrorCode> {
        let anywhere = if self.action.is_some() { ANYWHERE } else { UNRECORDED };
        self.codes.iter().copied().chain([anywhere]).flatten().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_belongs_to_a_route() {
        // These belong to no route.
        let elsewhere = [RouteNotFound, MethodNotAllowed];
        for code in ErrorCode::ALL {
            let used = ROUTES.iter().any(|route| route.every_code().any(|known| known == *code));
            assert!(used || elsewhere.contains(code), "{} belongs to no route", code.as_str());
        }
    }
}
