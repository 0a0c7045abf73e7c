//! Client parsers for responses of the service and of the payload store.

#![no_main]

use libfuzzer_sys::fuzz_target;
use sgsend::client::fuzzing::store_code;
use sgsend::domain::wire::{
    CompletedTransfer, CreatedToken, CreatedTransfer, DownloadAnswer, EventAdded, Health, Page, Problem, Readiness,
    Received, StatsOverview, TokenItem, TransferStatus, UploadStatus,
};
use sgsend_fuzz::reads_back;

fuzz_target!(|body: &[u8]| {
    reads_back::<CreatedTransfer>(body);
    reads_back::<CompletedTransfer>(body);
    reads_back::<TransferStatus>(body);
    reads_back::<UploadStatus>(body);
    reads_back::<Received>(body);
    reads_back::<DownloadAnswer>(body);
    reads_back::<EventAdded>(body);
    reads_back::<Health>(body);
    reads_back::<Readiness>(body);
    reads_back::<CreatedToken>(body);
    reads_back::<StatsOverview>(body);
    if let Some(page) = reads_back::<Page<TokenItem>>(body) {
        let items = page.items.len();
        let first = Page::of(page.items, 1, |item: &TokenItem| item.token_id.to_string());
        assert_eq!((first.items.len(), first.next.is_some()), (items.min(1), items > 1));
    }
    if let Some(problem) = reads_back::<Problem>(body)
        && let Some(code) = problem.error_code()
    {
        assert_eq!(serde_json::to_value(code).expect("an error code serialises to a string"), problem.code.as_str());
    }
    if let Some(code) = store_code(body) {
        assert!((1..=64).contains(&code.len()) && code.bytes().all(|byte| byte.is_ascii_alphanumeric()), "{code}");
    }
});
