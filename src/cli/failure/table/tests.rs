use super::*;
use crate::client::decrypt::OutputError;
use crate::client::upload::{InterruptedState, JournalError, SourceChange, SourceError};
use crate::client::{BucketError, Destination, Origin, ResponseError, Signal};
use crate::domain::crypto::sealed::OpenError;
use crate::domain::error::ErrorCode;
use crate::domain::transfer::Status;
use crate::domain::wire::Flow;

fn error_response(status: u16, code: Option<ErrorCode>) -> anyhow::Error {
    ClientError::from(ResponseError {
        status,
        code,
        code_text: code.map_or("http_x", ErrorCode::as_str).to_owned(),
        detail: "detail from the server".to_owned(),
        request_id: None,
        limit_bytes: None,
        received_bytes: None,
        transfer_id: None,
        retry_after: None,
    })
    .into()
}

#[test]
fn error_responses_have_the_documented_exit_status() {
    for (code, exit) in [
        (ErrorCode::TokenMissing, Exit::NotAuthorised),
        (ErrorCode::AdminKeyInvalid, Exit::NotAuthorised),
        (ErrorCode::NotYourTransfer, Exit::NotAuthorised),
        (ErrorCode::AccessInvalid, Exit::WrongKey),
        (ErrorCode::TransferNotFound, Exit::NotFound),
        (ErrorCode::TransferDeleted, Exit::Gone),
        (ErrorCode::PayloadTooLarge, Exit::LimitExceeded),
        (ErrorCode::QuotaExceeded, Exit::LimitExceeded),
        (ErrorCode::StorageFull, Exit::Network),
    ] {
        let failure = of(&error_response(400, Some(code)));
        assert_eq!((failure.exit, failure.code.as_ref()), (exit, code.as_str()));
        assert_eq!(failure.message, "detail from the server");
    }
    assert_eq!(of(&error_response(410, Some(ErrorCode::TransferExhausted))).reason, Some("exhausted"));
    assert!(of(&error_response(503, Some(ErrorCode::StorageUnavailable))).retryable);
    assert_eq!(of(&error_response(502, None)).exit, Exit::Network);
    assert_eq!(of(&error_response(404, None)).exit, Exit::NotFound);
}

#[test]
fn local_failures_have_the_documented_exit_status() {
    let exit = |error: anyhow::Error| of(&error).exit;
    assert_eq!(
        exit(UploadError::Source(SourceError::Changed { name: None, change: SourceChange::Content }).into()),
        Exit::LocalFile
    );
    assert_eq!(exit(UploadError::Journal(JournalError::Changed).into()), Exit::LocalFile);
    assert_eq!(
        exit(UploadError::TooLarge { name: "x".to_owned(), size: Some(2), limit: 1 }.into()),
        Exit::LimitExceeded
    );
    assert_eq!(exit(UploadError::Downloads.into()), Exit::Usage);
    let interrupted = |signal| UploadError::Interrupted { signal, state: InterruptedState::Deleted }.into();
    assert_eq!(exit(interrupted(Signal::Interrupt)), Exit::Interrupted);
    assert_eq!(exit(interrupted(Signal::Terminate)), Exit::Terminated);
    assert_eq!(exit(DownloadError::WrongKey.into()), Exit::WrongKey);
    assert_eq!(exit(DownloadError::Gone(Status::Expired).into()), Exit::Gone);
    assert_eq!(exit(DecryptError::Open(OpenError::Truncated).into()), Exit::WrongKey);
    assert_eq!(exit(DecryptError::Output(OutputError::Exists("x".into())).into()), Exit::LocalFile);
    assert_eq!(exit(io::Error::from(io::ErrorKind::BrokenPipe).into()), Exit::Done);
    assert_eq!(exit(anyhow::anyhow!("anything")), Exit::Other);
}

#[test]
fn payload_store_failures_name_the_store_and_suggest_the_server() {
    let origin = || Origin::of(&"https://store.example/bucket?secret".parse().unwrap());
    let of_store = |error: BucketError| of(&ClientError::from(error).into());
    let error_response = |status, code: Option<&str>| {
        of_store(BucketError::ErrorResponse {
            origin: origin(),
            status,
            code: code.map(str::to_owned),
            retry_after: None,
        })
    };
    let denied = error_response(403, Some("AccessDenied"));
    assert_eq!((denied.exit, denied.code.as_ref(), denied.retryable), (Exit::Network, "store_refused", false));
    assert_eq!(denied.message, "the payload store https://store.example refused with AccessDenied (status 403)");
    assert!(error_response(503, None).retryable);
    let destination = Destination::new(origin(), None, std::time::Duration::from_secs(10));
    let silent = of_store(BucketError::Unreachable(ClientError::Timeout { destination }));
    assert_eq!((silent.exit, silent.hint.unwrap().contains("--flow bytes")), (Exit::Network, true));
    let away = of_store(BucketError::ForbiddenAddress { origin: origin(), reach: crate::client::Reach::Loopback });
    assert_eq!((away.exit, away.hint.unwrap().contains("--flow bytes")), (Exit::Network, true));
    let flow = of(&ClientError::Flow { origin: origin(), flow: Flow::Bytes }.into());
    assert_eq!((flow.exit, flow.code.as_ref()), (Exit::Usage, "flow_unavailable"));
}

#[test]
fn the_root_cause_is_named_once() {
    let error = OutputError::Write(io::Error::other("disk on fire"));
    assert_eq!(with_root_cause(&error), "the content cannot be written: disk on fire");
    assert_eq!(with_root_cause(&OutputError::Rejected("no".into())), "no");
}
