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
    /// The codes of its refusals, besides those that every route may have.
    pub codes: &'static [ErrorCode],
}

/// The codes that any recorded route may have.
pub const ANYWHERE: &[ErrorCode] = &[InternalError, StorageUnavailable, StorageFull];

/// What comes of showing a sender token.
const SENDER: &[ErrorCode] = &[TokenMissing, TokenInvalid, TokenRevoked, TokenExpired];

const fn public(
    method: &'static str,
    template: &'static str,
    action: Option<ActionName>,
    codes: &'static [ErrorCode],
) -> Route {
    Route { service: ServiceName::Public, method, template, action, codes }
}

const fn admin(
    method: &'static str,
    template: &'static str,
    action: Option<ActionName>,
    codes: &'static [ErrorCode],
) -> Route {
    Route { service: ServiceName::Admin, method, template, action, codes }
}

/// Whether a route needs a sender token, and so may have [`SENDER`]'s codes.
const fn needs_token(action: ActionName) -> bool {
    matches!(
        action,
        ActionName::TransferCreate
            | ActionName::PayloadUpload
            | ActionName::UploadStatus
            | ActionName::UploadPresign
            | ActionName::UploadComplete
    )
}

/// The table.
pub const ROUTES: &[Route] = &[
    public("GET", "/health", None, &[]),
    public("GET", "/health/ready", None, &[]),
    public(
        "POST",
        "/transfers/create",
        Some(ActionName::TransferCreate),
        &[InvalidRequest, PayloadTooLarge, IdempotencyMismatch, RequestTimeout],
    ),
    public(
        "POST",
        "/transfers/id/{transfer_id}/payload/upload-bytes",
        Some(ActionName::PayloadUpload),
        &[
            InvalidId,
            InvalidRequest,
            NotYourTransfer,
            TransferNotFound,
            TransferNotPending,
            TransferExpired,
            TransferDeleted,
            SizeMismatch,
            OffsetMismatch,
            UploadInProgress,
            PayloadTooLarge,
            RequestTimeout,
        ],
    ),
    public(
        "GET",
        "/transfers/id/{transfer_id}/upload/status",
        Some(ActionName::UploadStatus),
        &[InvalidId, NotYourTransfer, TransferNotFound],
    ),
    public(
        "POST",
        "/transfers/id/{transfer_id}/upload/create-presign-urls",
        Some(ActionName::UploadPresign),
        &[
            InvalidId,
            InvalidRequest,
            NotYourTransfer,
            TransferNotFound,
            TransferNotPending,
            TransferExpired,
            TransferDeleted,
            SizeMismatch,
            WrongMode,
            PayloadTooLarge,
            RequestTimeout,
        ],
    ),
    public(
        "POST",
        "/transfers/id/{transfer_id}/upload/complete",
        Some(ActionName::UploadComplete),
        &[
            InvalidId,
            InvalidRequest,
            NotYourTransfer,
            TransferNotFound,
            TransferExpired,
            TransferDeleted,
            UploadIncomplete,
            UploadInProgress,
            SizeMismatch,
            PayloadTooLarge,
            RequestTimeout,
        ],
    ),
    public(
        "GET",
        "/transfers/id/{transfer_id}/status",
        Some(ActionName::TransferStatus),
        &[InvalidId, TransferNotFound],
    ),
    public(
        "POST",
        "/transfers/id/{transfer_id}/download/create-presign-url",
        Some(ActionName::DownloadGrant),
        &[
            InvalidId,
            InvalidRequest,
            TransferNotFound,
            AccessRequired,
            AccessInvalid,
            GrantExpired,
            NotCompleted,
            TransferExpired,
            TransferExhausted,
            TransferDeleted,
            PayloadTooLarge,
            RequestTimeout,
        ],
    ),
    public("GET", "/transfers/id/{transfer_id}/payload/download-bytes", Some(ActionName::PayloadDownload), DOWNLOAD),
    public("HEAD", "/transfers/id/{transfer_id}/payload/download-bytes", Some(ActionName::PayloadDownload), DOWNLOAD),
    public(
        "POST",
        "/transfers/id/{transfer_id}/events/add",
        Some(ActionName::EventAdd),
        &[
            InvalidId,
            InvalidRequest,
            TransferNotFound,
            AccessRequired,
            AccessInvalid,
            GrantInvalid,
            GrantExpired,
            NotCompleted,
            EventLimitReached,
            PayloadTooLarge,
            RequestTimeout,
        ],
    ),
    public("GET", "/transfers/id/{transfer_id}/events/list", Some(ActionName::EventList), LIST),
    public("GET", "/transfers/id/{transfer_id}/actions/list", Some(ActionName::ActionList), LIST),
    public(
        "POST",
        "/transfers/id/{transfer_id}/delete",
        Some(ActionName::TransferDelete),
        &[
            InvalidId,
            InvalidRequest,
            TokenMissing,
            TokenInvalid,
            TokenRevoked,
            TokenExpired,
            NotYourTransfer,
            TransferNotFound,
            PayloadTooLarge,
            RequestTimeout,
        ],
    ),
    public("GET", "/d/{transfer_id}", None, &[InvalidId]),
    public("GET", "/", None, &[]),
    public("GET", "/openapi.json", None, &[]),
    public("GET", "/docs", None, &[]),
    admin("GET", "/health", None, &[]),
    admin("GET", "/health/ready", None, &[]),
    admin(
        "POST",
        "/tokens/create",
        Some(ActionName::TokenCreate),
        &[InvalidRequest, AdminKeyInvalid, OriginNotAllowed, PayloadTooLarge, RequestTimeout, RateLimited],
    ),
    admin("GET", "/tokens/list", Some(ActionName::TokenList), &[InvalidRequest, AdminKeyInvalid, RateLimited]),
    admin(
        "POST",
        "/tokens/id/{token_id}/revoke",
        Some(ActionName::TokenRevoke),
        &[
            InvalidId,
            InvalidRequest,
            AdminKeyInvalid,
            OriginNotAllowed,
            TokenNotFound,
            PayloadTooLarge,
            RequestTimeout,
            RateLimited,
        ],
    ),
    admin("GET", "/stats/overview", Some(ActionName::StatsRead), &[AdminKeyInvalid, RateLimited]),
    admin(
        "GET",
        "/audit/transfers/id/{transfer_id}/all",
        Some(ActionName::AuditRead),
        &[InvalidId, InvalidRequest, AdminKeyInvalid, TransferNotFound, RateLimited],
    ),
    admin(
        "POST",
        "/transfers/id/{transfer_id}/delete",
        Some(ActionName::TransferDelete),
        &[
            InvalidId,
            InvalidRequest,
            AdminKeyInvalid,
            OriginNotAllowed,
            TransferNotFound,
            PayloadTooLarge,
            RequestTimeout,
            RateLimited,
        ],
    ),
    admin("GET", "/auth/set-cookie-form", None, &[]),
    admin("GET", "/auth/set-cookie-form.js", None, &[]),
    admin(
        "POST",
        "/auth/set-auth-cookie",
        Some(ActionName::SessionCreate),
        &[InvalidRequest, AdminKeyInvalid, OriginNotAllowed, PayloadTooLarge, RequestTimeout, RateLimited],
    ),
    admin("GET", "/openapi.json", None, &[]),
    admin("GET", "/docs", None, &[]),
];

const DOWNLOAD: &[ErrorCode] = &[
    InvalidId,
    InvalidRequest,
    TransferNotFound,
    AccessRequired,
    AccessInvalid,
    GrantInvalid,
    GrantExpired,
    NotCompleted,
    TransferExpired,
    TransferExhausted,
    TransferDeleted,
    RangeNotSatisfiable,
];

const LIST: &[ErrorCode] =
    &[InvalidId, InvalidRequest, TokenInvalid, TokenRevoked, TokenExpired, NotYourTransfer, TransferNotFound];

impl Route {
    /// Finds the route that answers `method` at `template`.
    #[must_use]
    pub fn find(service: ServiceName, method: &Method, template: &str) -> Option<&'static Self> {
        ROUTES
            .iter()
            .find(|route| route.service == service && route.template == template && route.method == method.as_str())
    }

    /// Every code that its refusals may have.
    pub fn every_code(&self) -> impl Iterator<Item = ErrorCode> {
        let sender = if self.action.is_some_and(needs_token) { SENDER } else { &[] };
        let anywhere = if self.action.is_some() { ANYWHERE } else { &[InternalError, StorageUnavailable] };
        self.codes.iter().chain(sender).chain(anywhere).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_belongs_to_a_route() {
        // These belong to no route of their own, or to what is to come: limits on rates and quotas.
        let elsewhere = [RouteNotFound, MethodNotAllowed, QuotaExceeded];
        for code in ErrorCode::ALL {
            let used = ROUTES.iter().any(|route| route.every_code().any(|known| known == *code));
            assert!(used || elsewhere.contains(code), "{} belongs to no route", code.as_str());
        }
    }
}
