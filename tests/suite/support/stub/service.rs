//! The service side of the stub: one transfer, in the wire format.

use std::collections::BTreeMap;
use std::sync::Arc;

use http::header::{CONTENT_RANGE, RANGE};
use http::{Method, Request, Response};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use serde::Serialize;
use serde_json::Value;
use sgsend::domain::audit::{IpMode, ServiceName};
use sgsend::domain::error::ErrorCode;
use sgsend::domain::id::TransferId;
use sgsend::domain::limits::Limits;
use sgsend::domain::timestamp::Timestamp;
use sgsend::domain::transfer::{Status, UploadKind};
use sgsend::domain::wire::{
    CompletedTransfer, CreateTransfer, CreatedTransfer, DownloadRequest, DownloadResponse, Flow, Health, Mode,
    PartNumbers, Problem, Received, TransferStatus, Transparency, UploadInstruction, UploadPart, UploadRequest,
    UploadStatus,
};

use super::listening::Answered;
use super::store::whole;
use super::{SIGNATURE, Shared, State};

/// Arbitrary time; no client reads it.
const SOMETIME: Timestamp = Timestamp::from_millis(1_767_268_800_000);
/// Content size limit in bytes, larger than any test content.
const MAX_CONTENT: u64 = 1 << 36;

/// Error response: status, code, and received bytes.
struct Refused(u16, ErrorCode, Option<u64>);

type Outcome = Result<Value, Refused>;

pub(super) async fn respond(shared: Arc<Shared>, request: Request<Incoming>) -> Answered {
    let (head, body) = request.into_parts();
    let path = head.uri.path().to_owned();
    let call = path.rsplit_once("/id/").and_then(|(_, rest)| rest.split_once('/')).map_or(&*path, |(_, call)| call);
    shared.state().calls.push(call.to_owned());
    let grant = head.headers.get("x-sgsend-grant").map(|grant| grant.to_str().unwrap().to_owned());
    if call == "payload/download-bytes" {
        let range = head.headers.get(RANGE).map(|range| range.to_str().unwrap());
        return Ok(download_bytes(&shared, &head.method, grant, range));
    }
    let mut got = Vec::new();
    let mut body = body;
    while let Some(Ok(frame)) = body.frame().await {
        got.extend_from_slice(frame.data_ref().unwrap());
    }
    let offset = head.uri.query().and_then(|query| query.strip_prefix("offset=")?.parse().ok()).unwrap_or(0);
    let outcome = shared.call(call, offset, &got);
    Ok(match outcome {
        Ok(mut response) => {
            (shared.edit)(call, &mut response);
            json(200, &response)
        }
        Err(Refused(status, code, received_bytes)) => {
            let code = code.as_str().to_owned();
            let problem = Problem {
                kind: "about:blank".into(),
                title: String::new(),
                status,
                detail: format!("the stub says {code}"),
                code,
                request_id: "0".into(),
                limit_bytes: None,
                received_bytes,
                transfer_id: None,
                failed_checks: Vec::new(),
            };
            json(status, &problem)
        }
    })
}

fn json(status: u16, content: &impl Serialize) -> Response<super::listening::Body> {
    Response::builder().status(status).body(whole(serde_json::to_vec(content).unwrap())).unwrap()
}

fn value(content: &impl Serialize) -> Value {
    serde_json::to_value(content).unwrap()
}

impl Shared {
    fn call(&self, call: &str, offset: usize, body: &[u8]) -> Outcome {
        let mode = Mode { upload: self.terms.flow, download: self.terms.flow };
        let mut state = self.state();
        Ok(match call {
            "/health" => value(&Health {
                behind_untrusted_proxy: false,
                status: "ok".into(),
                api: 1,
                version: "0".into(),
                service: ServiceName::Public,
                mode,
                limits: Limits::with_max_content(MAX_CONTENT).unwrap().into(),
            }),
            "/transfers/create" => {
                let asked: CreateTransfer = serde_json::from_slice(body).unwrap();
                let id = TransferId::random();
                *state = State {
                    id: Some(id),
                    status: Some(Status::Pending),
                    calls: state.calls.clone(),
                    ..State::default()
                };
                (state.size, state.max_downloads) = (asked.size_bytes, asked.max_downloads);
                state.access_proof = asked.access_sha256.is_some();
                let upload = self.instruction(&mut state, None);
                value(&CreatedTransfer {
                    transfer_id: id,
                    status: Status::Pending,
                    size_bytes: asked.size_bytes,
                    created_at: SOMETIME,
                    expires_at: SOMETIME,
                    max_downloads: asked.max_downloads,
                    page_url: format!("/d/{id}"),
                    mode,
                    upload,
                })
            }
            "upload/create-presign-urls" => {
                let numbers = serde_json::from_slice::<PartNumbers>(body).unwrap().numbers;
                assert!(numbers.len() <= 100, "more than 100 part numbers in one request");
                state.asked_for.push(numbers.clone());
                if !state.bytes.is_empty() || self.terms.flow == Flow::Bytes {
                    return Err(Refused(409, ErrorCode::WrongMode, None));
                }
                value(&self.instruction(&mut state, (!numbers.is_empty()).then_some(numbers)))
            }
            "payload/upload-bytes" => {
                if !state.parts.is_empty() || state.object.is_some() {
                    return Err(Refused(409, ErrorCode::WrongMode, None));
                }
                state.bytes.truncate(offset);
                assert_eq!(state.bytes.len(), offset, "a piece leaves a gap");
                state.bytes.extend_from_slice(body);
                value(&Received { transfer_id: state.id.unwrap(), received_bytes: state.bytes.len() as u64 })
            }
            "upload/status" => value(&self.upload_status(&state)),
            "upload/complete" => self.complete(&mut state, mode)?,
            "status" => value(&status(&state, mode)),
            "delete" => {
                state.status = Some(Status::Deleted);
                value(&status(&state, mode))
            }
            "download/create-presign-url" => self.begin_download(&mut state, body)?,
            "events/add" => serde_json::json!({"id": "00000000-0000-7000-8000-000000000000", "at": 0}),
            other => panic!("the stub doesn't implement {other}"),
        })
    }

    /// Returns the upload instruction with URLs for these parts, or for the first ones.
    fn instruction(&self, state: &mut State, numbers: Option<Vec<u32>>) -> UploadInstruction {
        let address = format!("/transfers/id/{}/payload/upload-bytes", state.id.unwrap());
        if self.terms.flow == Flow::Bytes {
            return UploadInstruction::Bytes { url: address };
        }
        state.issued_urls += 1;
        let fallback_url = self.terms.fallback.then_some(address);
        let count = u32::try_from(state.size.div_ceil(self.terms.part_size)).unwrap();
        let headers = |names: &[(&str, &str)]| -> BTreeMap<String, String> {
            names.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
        };
        let octets = ("content-type", "application/octet-stream");
        if count == 1 {
            let request = UploadRequest {
                method: "PUT".into(),
                url: self.signed(state, ""),
                headers: headers(&[octets, ("if-none-match", "*")]),
            };
            return UploadInstruction::Single { request, url_expires_at: SOMETIME, fallback_url };
        }
        let numbers = numbers.unwrap_or_else(|| (1..=count.min(self.terms.urls_ahead)).collect());
        let part = |number| UploadPart {
            number,
            request: UploadRequest {
                method: "PUT".into(),
                url: self.signed(state, &format!("partNumber={number}&")),
                headers: headers(&[octets]),
            },
        };
        UploadInstruction::Multipart {
            part_size_bytes: self.terms.part_size,
            part_count: count,
            parts: numbers.into_iter().map(part).collect(),
            url_expires_at: SOMETIME,
            fallback_url,
        }
    }

    fn signed(&self, state: &State, part: &str) -> String {
        let (store, issue) = (self.store_url.lock().unwrap(), state.issued_urls);
        format!("{store}/bucket/{}?{part}issue={issue}&X-Amz-Signature={SIGNATURE}", state.id.unwrap())
    }

    fn upload_status(&self, state: &State) -> UploadStatus {
        let is_multipart = state.size > self.terms.part_size;
        let received = state.parts.values().chain(&state.object).chain([&state.bytes]).map(Vec::len).sum::<usize>();
        UploadStatus {
            transfer_id: state.id.unwrap(),
            status: state.status.unwrap(),
            kind: Some(if is_multipart { UploadKind::Multipart } else { UploadKind::Single }),
            size_bytes: state.size,
            received_bytes: received as u64,
            part_size_bytes: is_multipart.then_some(self.terms.part_size),
            parts_received: is_multipart.then(|| state.parts.keys().map(|number| [*number, *number]).collect()),
        }
    }

    fn complete(&self, state: &mut State, mode: Mode) -> Outcome {
        match state.status.unwrap() {
            Status::Deleted => return Err(Refused(410, ErrorCode::TransferDeleted, None)),
            Status::Pending => {
                let parts = state.parts.values().map(Vec::as_slice).collect::<Vec<_>>().concat();
                let whole = [&parts, &state.bytes].into_iter().chain(&state.object).find(|bytes| !bytes.is_empty());
                let whole = whole.cloned().unwrap_or_default();
                if (whole.len() as u64) < state.size {
                    return Err(Refused(409, ErrorCode::UploadIncomplete, Some(whole.len() as u64)));
                }
                (state.object, state.status) = (Some(whole), Some(Status::Completed));
            }
            _ => {}
        }
        let transparency = Transparency::for_sender(IpMode::None, self.terms.flow);
        Ok(value(&CompletedTransfer { status: status(state, mode), transparency }))
    }

    fn begin_download(&self, state: &mut State, body: &[u8]) -> Outcome {
        if state.status == Some(Status::Deleted) {
            return Err(Refused(410, ErrorCode::TransferDeleted, None));
        }
        let grant = serde_json::from_slice::<DownloadRequest>(body).unwrap().grant.unwrap();
        state.grants.insert(grant.clone());
        state.issued_urls += 1;
        let address = format!("/transfers/id/{}/payload/download-bytes", state.id.unwrap());
        let is_presigned = self.terms.flow == Flow::Presigned;
        Ok(value(&DownloadResponse {
            mode: self.terms.flow,
            method: "GET".into(),
            url: if is_presigned { self.signed(state, "") } else { address.clone() },
            url_expires_at: SOMETIME,
            fallback_url: (is_presigned && self.terms.fallback).then_some(address),
            grant,
            grant_expires_at: SOMETIME,
            size_bytes: state.size,
            transparency: Transparency::for_recipient(IpMode::None, self.terms.flow),
        }))
    }
}

fn status(state: &State, mode: Mode) -> TransferStatus {
    TransferStatus {
        transfer_id: state.id.unwrap(),
        status: state.status.unwrap(),
        size_bytes: state.size,
        created_at: SOMETIME,
        completed_at: Some(SOMETIME),
        expires_at: SOMETIME,
        download_count: state.grants.len() as u64,
        max_downloads: state.max_downloads,
        downloads_remaining: None,
        access_proof: state.access_proof,
        mode,
        info: None,
        signature: None,
        wrapped_key: None,
    }
}

fn download_bytes(
    shared: &Shared,
    method: &Method,
    grant: Option<String>,
    range: Option<&str>,
) -> Response<super::listening::Body> {
    let mut state = shared.state();
    if method == Method::HEAD {
        return Response::new(whole(""));
    }
    state.payload_reads += 1;
    assert!(grant.is_some_and(|grant| state.grants.contains(&grant)), "bytes without a grant");
    let object = state.object.clone().unwrap();
    let Some(range) = range else { return Response::new(whole(object)) };
    let start: usize = range.trim_start_matches("bytes=").trim_end_matches('-').parse().unwrap();
    let printed = format!("bytes {start}-{}/{}", object.len() - 1, object.len());
    Response::builder().status(206).header(CONTENT_RANGE, printed).body(whole(object[start..].to_vec())).unwrap()
}
