"""Runs every step of a transfer with the generated clients: python3 flow.py PUBLIC_URL ADMIN_URL ADMIN_KEY PAYLOAD.

The payload is tests/vectors/hello.sealed; its key is in docs/format.md, so the access proof is derived here.
"""

import hashlib
import hmac
import secrets
import sys
from base64 import urlsafe_b64decode, urlsafe_b64encode
from http import HTTPStatus
from io import BytesIO

import admin_client
import public_client
from admin_client.api.audit import list_audit_records
from admin_client.api.stats import get_metrics, get_statistics
from admin_client.api.tokens import create_token, list_tokens, revoke_token
from admin_client.models import CreateToken, Empty as AdminEmpty, RecordAction, RecordEvent, RecordRequest, TokenStatus
from public_client.api.audit import add_event, list_events
from public_client.api.health import get_health
from public_client.api.tokens import get_token_status
from public_client.api.transfers import (
    check_payload,
    complete_upload,
    create_transfer,
    delete_transfer,
    download_payload,
    get_transfer_status,
    get_upload_status,
    start_download,
    upload_payload,
)
from public_client.models import AddEvent, ClientEventKind, CreateTransfer, DownloadRequest, Empty, Problem, Status
from public_client.models import UploadInstructionBytes
from public_client.types import File

LINK_KEY = "B4Xq3YdbnHcQ94xTBjdxXERFYAjScTcNgdALwg4MY_E"


def access_proof(payload_key: bytes) -> bytes:
    """HKDF-SHA256 with an empty salt, one block long."""
    extracted = hmac.digest(bytes(32), payload_key, "sha256")
    return hmac.digest(extracted, b"sgsend/v1/access\x01", "sha256")


def done(response, status=HTTPStatus.OK):
    """Returns the parsed body of a response with this status."""
    assert response.status_code == status, (response.status_code, response.content)
    assert response.parsed is not None and not isinstance(response.parsed, Problem), response.content
    return response.parsed


def main(public_url, admin_url, admin_key, payload_file):
    with open(payload_file, "rb") as file:
        payload = file.read()
    admin = admin_client.AuthenticatedClient(admin_url, admin_key, prefix="", auth_header_name="x-api-key")
    created = done(create_token.sync_detailed(client=admin, body=CreateToken(name="generated")), HTTPStatus.CREATED)
    tokens = done(list_tokens.sync_detailed(client=admin))
    assert [token.token_id for token in tokens.items] == [created.token_id]

    anyone = public_client.Client(public_url)
    assert done(get_health.sync_detailed(client=anyone)).api == 1
    sender = public_client.AuthenticatedClient(public_url, created.token)
    assert done(get_token_status.sync_detailed(client=sender)).name == "generated"
    proof = access_proof(urlsafe_b64decode(LINK_KEY + "="))
    body = CreateTransfer(len(payload), access_sha256=hashlib.sha256(proof).hexdigest(), max_downloads=2)
    transfer = done(create_transfer.sync_detailed(client=sender, body=body), HTTPStatus.CREATED)
    key = transfer.transfer_id
    assert isinstance(transfer.upload, UploadInstructionBytes), transfer.upload
    assert transfer.upload.url.endswith("/payload/upload-bytes")
    half = len(payload) // 2
    for offset, piece in [(0, payload[:half]), (half, payload[half:])]:
        sent = upload_payload.sync_detailed(key, client=sender, body=File(payload=BytesIO(piece)), offset=offset)
        assert done(sent).received_bytes == offset + len(piece)
    assert done(get_upload_status.sync_detailed(key, client=sender)).received_bytes == len(payload)
    completed = done(complete_upload.sync_detailed(key, client=sender, body=Empty()))
    assert completed.status == Status.COMPLETED and completed.transparency.stored[0].code == "time"

    assert done(get_transfer_status.sync_detailed(key, client=anyone)).downloads_remaining == 2
    wrong = start_download.sync_detailed(key, client=anyone, body=DownloadRequest(), x_sgsend_access="0" * 64)
    assert wrong.status_code == HTTPStatus.FORBIDDEN and wrong.parsed.code == "access_invalid", wrong
    assert check_payload.sync_detailed(key, client=anyone, x_sgsend_access=proof.hex()).status_code == HTTPStatus.OK
    grant = urlsafe_b64encode(secrets.token_bytes(32)).decode().rstrip("=")
    request = DownloadRequest(grant=grant)
    for _ in range(2):
        started = start_download.sync_detailed(key, client=anyone, body=request, x_sgsend_access=proof.hex())
        assert done(started).grant == grant
    got = done(download_payload.sync_detailed(key, client=anyone, x_sgsend_grant=grant))
    assert got.payload.read() == payload
    rest = download_payload.sync_detailed(key, client=anyone, x_sgsend_grant=grant, range_="bytes=100-")
    assert done(rest, HTTPStatus.PARTIAL_CONTENT).payload.read() == payload[100:]
    event = AddEvent(kind=ClientEventKind.DECRYPT_SUCCEEDED)
    done(add_event.sync_detailed(key, client=anyone, body=event, x_sgsend_grant=grant), HTTPStatus.CREATED)
    assert done(get_transfer_status.sync_detailed(key, client=anyone)).download_count == 1
    kinds = [record.kind for record in done(list_events.sync_detailed(key, client=sender)).items]
    assert kinds[0] == "transfer_created" and "decrypt_succeeded" in kinds, kinds

    assert done(delete_transfer.sync_detailed(key, client=sender, body=Empty())).status == Status.DELETED
    records = done(list_audit_records.sync_detailed(key, client=admin)).items
    assert {type(record) for record in records} == {RecordAction, RecordEvent, RecordRequest}, records
    assert done(get_statistics.sync_detailed(client=admin)).downloads == 1
    assert get_metrics.sync_detailed(client=admin).status_code == HTTPStatus.OK
    revoked = done(revoke_token.sync_detailed(created.token_id, client=admin, body=AdminEmpty()))
    assert revoked.status == TokenStatus.REVOKED
    refused = create_transfer.sync_detailed(client=sender, body=body)
    assert refused.status_code == HTTPStatus.FORBIDDEN and refused.parsed.code == "token_revoked", refused


if __name__ == "__main__":
    main(*sys.argv[1:])
