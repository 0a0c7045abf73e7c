//! Client parsers for responses of the service and of the payload store.

#![no_main]

use libfuzzer_sys::fuzz_target;
use sgsend::client::fuzzing::store_code;
use sgsend::domain::wire::{
    CompletedTransfer, CreatedToken, CreatedTransfer, DownloadResponse, EventAdded, Health, Page, Problem, Readiness,
    Received, RecordPage, StatsOverview, TokenItem, TransferStatus, UploadStatus,
};
use sgsend_fuzz::parse_round_trip;

fuzz_target!(|body: &[u8]| {
    parse_round_trip::<CreatedTransfer>(body);
    parse_round_trip::<CompletedTransfer>(body);
    parse_round_trip::<TransferStatus>(body);
    parse_round_trip::<UploadStatus>(body);
    parse_round_trip::<Received>(body);
    parse_round_trip::<DownloadResponse>(body);
    parse_round_trip::<EventAdded>(body);
    parse_round_trip::<Health>(body);
    parse_round_trip::<Readiness>(body);
    parse_round_trip::<CreatedToken>(body);
    parse_round_trip::<StatsOverview>(body);
    parse_round_trip::<Page<TokenItem>>(body);
    parse_round_trip::<RecordPage>(body);
    if let Some(problem) = parse_round_trip::<Problem>(body)
        && let Some(code) = problem.error_code()
    {
        assert_eq!(serde_json::to_value(code).expect("an error code serialises to a string"), problem.code.as_str());
    }
    if let Some(code) = store_code(body) {
        assert!((1..=64).contains(&code.len()) && code.bytes().all(|byte| byte.is_ascii_alphanumeric()), "{code}");
    }
});
