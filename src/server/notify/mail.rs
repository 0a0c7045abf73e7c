//! Client of a mail server: one message per notification, by SMTP.

use std::error::Error as StdError;
use std::time::Duration;

use lettre::message::Mailbox;
use lettre::message::header::ContentType;
use lettre::transport::smtp::Error as SmtpError;
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, Tls, TlsParameters};
use lettre::{Address, AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};
use rustls_pki_types::CertificateDer;

use super::settings::{SmtpEncryption, SmtpServer};
use crate::domain::error::chain;
use crate::domain::notification::{DeliveryError, EmailAddress, FailureReason, Notification};

/// Time for each step of a delivery, and for the whole delivery.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Client of a mail server.
pub(super) struct Mailer {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Address,
    host: String,
}

impl Mailer {
    /// Creates a client that trusts the system's CA certificates and `roots`.
    pub(super) fn new(
        server: &SmtpServer,
        roots: &[CertificateDer<'static>],
    ) -> Result<Self, Box<dyn StdError + Send + Sync>> {
        let parameters = || {
            let builder = TlsParameters::builder(server.host.clone());
            let builder = roots.iter().try_fold(builder, |builder, root| {
                Ok::<_, SmtpError>(builder.add_root_certificate(Certificate::from_der(root.to_vec())?))
            });
            builder.and_then(lettre::transport::smtp::client::TlsParametersBuilder::build_rustls)
        };
        let tls = match server.encryption {
            SmtpEncryption::Implicit => Tls::Wrapper(parameters()?),
            SmtpEncryption::StartTls => Tls::Required(parameters()?),
            SmtpEncryption::None => Tls::None,
        };
        let builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(&server.host)
            .port(server.port)
            .tls(tls)
            .timeout(Some(TIMEOUT));
        let builder = match &server.login {
            Some((user, password)) => builder.credentials(Credentials::new(user.clone(), password.to_string())),
            None => builder,
        };
        Ok(Self { transport: builder.build(), from: server.from.as_str().parse()?, host: server.host.clone() })
    }

    /// Sends a notification to an address.
    pub(super) async fn send(&self, to: &EmailAddress, notification: &Notification) -> Result<(), DeliveryError> {
        let unusable = |error: &dyn StdError| DeliveryError::new(FailureReason::Rejected, chain(error)).into_final();
        let to: Address = to.as_str().parse().map_err(|error: lettre::address::AddressError| unusable(&error))?;
        let message = Message::builder()
            .from(Mailbox::new(Some("sgsend".to_owned()), self.from.clone()))
            .to(Mailbox::new(None, to))
            .subject(format!("sgsend: {}", notification.kind.sentence()))
            // The same in each attempt, so that a mailbox can discard repetitions.
            .message_id(Some(format!("<{}@{}>", notification.id, self.host)))
            .header(ContentType::TEXT_PLAIN)
            .body(text(notification))
            .map_err(|error| unusable(&error))?;
        match tokio::time::timeout(TIMEOUT, self.transport.send(message)).await {
            Ok(sent) => sent.map(drop).map_err(|error| failed(&error)),
            Err(_) => Err(DeliveryError::new(FailureReason::Timeout, "the mail server did not respond in time")),
        }
    }
}

fn text(notification: &Notification) -> String {
    let Notification { kind, at, transfer_id, link_id, download_count, max_downloads, .. } = notification;
    let link = link_id.map(|id| format!("Link: {id}\n")).unwrap_or_default();
    let limit = max_downloads.map(|limit| format!(" of {limit}")).unwrap_or_default();
    format!(
        "{}\n\nTransfer: {transfer_id}\n{link}Downloads: {download_count}{limit}\nTime: {}\nEvent: {}\n",
        kind.sentence(),
        at.utc(),
        kind.as_str(),
    )
}

/// Classifies the error of a mail server; a permanent one is final.
fn failed(error: &SmtpError) -> DeliveryError {
    if error.is_permanent() {
        return DeliveryError::new(FailureReason::Rejected, chain(error)).into_final();
    }
    let reason = if error.is_transient() {
        FailureReason::ReceiverError
    } else if error.is_timeout() {
        FailureReason::Timeout
    } else {
        FailureReason::NotReachable
    };
    DeliveryError::new(reason, chain(error))
}
