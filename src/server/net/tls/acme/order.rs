//! One order of a certificate: account, validation of the domains, and the certificate.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use instant_acme::{
    Account, AuthorizationStatus, ChallengeType, Error as ProtocolError, Identifier, NewAccount, NewOrder, Order,
    OrderStatus, Problem, RetryPolicy,
};

use super::cache::{AccountFile, Cache};
use super::challenge::{ChallengeError, Challenges, PendingChallenge};
use super::http_client::{self, HttpSetupError, RetryAfter};
use super::settings::AcmeSettings;

/// Maximum time for the validation of all domains, and for the certificate.
const STEP_TIMEOUT: Duration = Duration::from_mins(2);
/// Problem type of an account that the ACME server does not know (RFC 8555, 6.7).
const ACCOUNT_UNKNOWN: &str = "urn:ietf:params:acme:error:accountDoesNotExist";
/// Maximum length of a text of an ACME server in an error, in characters.
const MAX_DETAIL: usize = 400;

/// The reasons why an order fails.
#[derive(Debug, thiserror::Error)]
pub(super) enum OrderError {
    #[error(transparent)]
    Setup(#[from] HttpSetupError),
    #[error("cannot use the account in the ACME cache")]
    Account(#[source] io::Error),
    #[error("the ACME server does not know the account any more; the next order creates another one")]
    AccountUnknown,
    #[error("the ACME server offers no tls-alpn-01 challenge for {0}")]
    NoChallenge(String),
    #[error(transparent)]
    Challenge(#[from] ChallengeError),
    #[error("the ACME server could not validate {0}")]
    Validation(String),
    #[error("the ACME server refused: {0}")]
    Refused(String),
    #[error("no valid response from the ACME server")]
    Protocol(#[source] ProtocolError),
}

impl From<ProtocolError> for OrderError {
    fn from(error: ProtocolError) -> Self {
        match error {
            ProtocolError::Api(problem) if problem.r#type.as_deref() == Some(ACCOUNT_UNKNOWN) => Self::AccountUnknown,
            ProtocolError::Api(problem) => Self::Refused(text(&problem)),
            error => Self::Protocol(error),
        }
    }
}

/// Orders a certificate; returns its private key and the certificate chain, in PEM.
pub(super) async fn order(
    settings: &AcmeSettings,
    cache: &Cache,
    challenges: &Arc<Challenges>,
    retry_after: RetryAfter,
) -> Result<String, OrderError> {
    let account = account(settings, cache, retry_after).await?;
    let identifiers: Vec<_> =
        settings.domains.iter().map(|domain| Identifier::Dns(domain.as_str().to_owned())).collect();
    let mut order = match account.new_order(&NewOrder::new(&identifiers)).await.map_err(OrderError::from) {
        Err(OrderError::AccountUnknown) => {
            cache.remove_account().map_err(OrderError::Account)?;
            return Err(OrderError::AccountUnknown);
        }
        order => order?,
    };
    let retries = RetryPolicy::new().timeout(STEP_TIMEOUT);
    let pending = answer_challenges(&mut order, challenges).await?;
    let validated = order.poll_ready(&retries).await;
    drop(pending);
    match validated {
        Ok(OrderStatus::Ready) => {}
        Ok(_) => return Err(validation_error(&mut order).await),
        Err(ProtocolError::Api(problem)) => {
            let found = validation_error(&mut order).await;
            let is_empty = matches!(&found, OrderError::Validation(detail) if detail.is_empty());
            return Err(if is_empty { OrderError::Validation(text(&problem)) } else { found });
        }
        Err(error) => return Err(error.into()),
    }
    let key = order.finalize().await?;
    let chain = order.poll_certificate(&retries).await?;
    Ok(format!("{key}{chain}"))
}

/// Returns the account of the cache with its contacts up to date, or creates one.
async fn account(settings: &AcmeSettings, cache: &Cache, retry_after: RetryAfter) -> Result<Account, OrderError> {
    let builder = Account::builder_with_http(http_client::client(settings, retry_after)?);
    let contact: Vec<_> = settings.contact.iter().map(String::as_str).collect();
    let Some(AccountFile { contact: known, credentials }) = cache.account().map_err(OrderError::Account)? else {
        let account = NewAccount { contact: &contact, terms_of_service_agreed: true, only_return_existing: false };
        let (account, credentials) = builder.create(&account, settings.directory.to_string(), None).await?;
        let file = AccountFile { contact: settings.contact.clone(), credentials };
        cache.save_account(&file).map_err(OrderError::Account)?;
        tracing::info!("created an account at the ACME server");
        return Ok(account);
    };
    // The type of the credentials cannot be cloned, and loading the account consumes them.
    let kept = (known != settings.contact).then(|| serde_json::to_value(&credentials)).transpose();
    let account = builder.from_credentials(credentials).await?;
    if let Some(credentials) = kept.and_then(|kept| kept.map(serde_json::from_value).transpose()).unwrap_or_default() {
        account.update_contacts(&contact).await?;
        let file = AccountFile { contact: settings.contact.clone(), credentials };
        cache.save_account(&file).map_err(OrderError::Account)?;
    }
    Ok(account)
}

/// Answers the challenges of all domains that are not validated yet, until the result is dropped.
async fn answer_challenges(
    order: &mut Order,
    challenges: &Arc<Challenges>,
) -> Result<Vec<PendingChallenge>, OrderError> {
    let mut pending = Vec::new();
    let mut authorizations = order.authorizations();
    while let Some(authorization) = authorizations.next().await {
        let mut authorization = authorization?;
        if authorization.status != AuthorizationStatus::Pending {
            continue;
        }
        let domain = authorization.identifier().to_string();
        let Some(mut challenge) = authorization.challenge(ChallengeType::TlsAlpn01) else {
            return Err(OrderError::NoChallenge(domain));
        };
        let digest = challenge.key_authorization().digest();
        pending.push(challenges.answer(&domain, digest.as_ref())?);
        challenge.set_ready().await?;
    }
    Ok(pending)
}

/// Returns the error of an order whose domains were not validated, with the ACME server's reasons.
async fn validation_error(order: &mut Order) -> OrderError {
    let mut reasons = Vec::new();
    let mut authorizations = order.authorizations();
    while let Some(authorization) = authorizations.next().await {
        let Ok(mut authorization) = authorization else { continue };
        let domain = authorization.identifier().to_string();
        let Ok(state) = authorization.refresh().await else { continue };
        let problems = state.challenges.iter().filter_map(|challenge| challenge.error.as_ref());
        reasons.extend(problems.map(|problem| format!("{domain}: {}", text(problem))));
    }
    OrderError::Validation(reasons.join("; "))
}

/// Returns the text of a problem of the ACME server, shortened.
fn text(problem: &Problem) -> String {
    problem.to_string().trim_start_matches("API error: ").chars().take(MAX_DETAIL).collect()
}
