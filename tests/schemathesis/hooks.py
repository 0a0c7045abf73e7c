"""Facts that the OpenAPI document can't express: matching payload sizes, valid access proofs, existing IDs.

All choices are derived from FUZZ_SEED. Only valid test cases are changed, and they stay valid.
"""

import atexit
import base64
import collections
import hashlib
import json
import os
import random

import requests
import schemathesis

PUBLIC = os.environ["FUZZ_PUBLIC"]
ADMIN = os.environ["FUZZ_ADMIN"]
KEY = os.environ["FUZZ_KEY"]
SENDER = {"authorization": "Bearer " + os.environ["FUZZ_TOKEN"]}
PROOF = "5a" * 32
DIGEST = hashlib.sha256(bytes.fromhex(PROOF)).hexdigest()
LARGEST = 4096
# An age file by its first line and size, which is what the service checks.
KEYS = base64.urlsafe_b64encode(b"age-encryption.org/v1\n" + bytes(300)).decode().rstrip("=")

chance = random.Random(int(os.environ["FUZZ_SEED"]))
answers = collections.Counter()
granted = set()
sizes, received, protected = {}, {}, set()
revoked = requests.post(ADMIN + "/tokens/create", headers={"x-api-key": KEY}, json={"name": "to revoke"}).json()


def post(path, **what):
    answer = requests.post(PUBLIC + path, headers=SENDER, **what)
    answer.raise_for_status()
    return answer.json()


def made(upload, complete=False, delete=False, fetch=False, keys=None, **members):
    """Creates a transfer of 100 bytes, and advances it to the requested state; returns its ID."""
    there = post("/transfers/create", json={"size_bytes": 100, **members})["transfer_id"]
    route = f"/transfers/id/{there}"
    sizes[there], received[there] = 100, upload
    if "access_sha256" in members:
        protected.add(there)
    if upload:
        post(route + "/payload/upload-bytes", data=bytes(upload))
    if complete:
        post(route + "/upload/complete", json={"keys": keys} if keys else {})
    if fetch:
        post(route + "/download/create-presign-url")
    if delete:
        post(route + "/delete")
    return there


# Each state that a transfer can reach without waiting.
STATES = [
    dict(upload=0),
    dict(upload=60),
    dict(upload=100),
    dict(upload=100, complete=True),
    dict(upload=100, complete=True, access_sha256=DIGEST),
    dict(upload=100, complete=True, keys=KEYS),
    dict(upload=100, complete=True, fetch=True, max_downloads=1),
    dict(upload=100, complete=True, delete=True),
    dict(upload=0, delete=True),
]
KEPT = [made(**state) for state in STATES]
PARTS = [{"range": "bytes=0-9"}, {"range": "bytes=1-"}, {"range": "bytes=-1"}, {"range": "bytes=9999-"}, {"range": "lines=1"}]
# States in which each operation succeeds; operations that are not listed succeed in any state.
FITTING = {
    "complete": dict(upload=100),
    "create-presign-url": dict(upload=100, complete=True),
    "download-bytes": dict(upload=100, complete=True),
    "add": dict(upload=100, complete=True),
    "keys": dict(upload=100, complete=True, keys=KEYS),
}
LOOKS = ("status", "list", "all", "{transfer_id}")


def is_valid(case):
    return case.meta is not None and case.meta.generation.mode.is_positive and case.meta.phase.name != "coverage"


@schemathesis.hook
def map_body(context, body):
    """Writes integers without a fraction: 7.0 is an integer in JSON Schema, but the API rejects it."""
    return whole(body)


def whole(value):
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, dict):
        return {name: whole(member) for name, member in value.items()}
    if isinstance(value, list):
        return [whole(item) for item in value]
    return value


def linked(there):
    """Creates a further link of a transfer; returns its ID, or that of the transfer if it takes none."""
    link = chance.randbytes(16).hex()
    wrapped = base64.urlsafe_b64encode(chance.randbytes(60)).decode()
    body = {"link_id": link, "wrapped_key": wrapped, "access_sha256": DIGEST}
    answer = requests.post(f"{PUBLIC}/transfers/id/{there}/links/create", headers=SENDER, json=body)
    return link if answer.ok else there


def requested():
    """Creates a request; returns its ID."""
    return post("/requests/create", json={"secret_sha256": chance.randbytes(32).hex()})["token_id"]


def fit_lists(case):
    """Removes positions of other lists, and chooses the transfers to delete."""
    if case.operation.path == "/transfers/list":
        (case.query or {}).pop("after", None)
    if case.operation.path.endswith("/delete-many"):
        body = case.body if isinstance(case.body, dict) else {}
        named = [name for name in ("transfer_ids", "token_id") if body.get(name) is not None]
        if len(named) != 1 or "after" in body:
            case.body, case.media_type = {"transfer_ids": [made(upload=0)]}, "application/json"


@schemathesis.hook
def before_call(context, case, kwargs):
    if case.meta is not None and case.meta.generation.mode.is_positive:
        fit_lists(case)
    if not is_valid(case):
        return
    parameters = case.path_parameters or {}
    route = case.operation.path.rsplit("/", 1)[1]
    alone = "transfer_id" not in parameters or case.meta.phase.name != "stateful"
    # The first case of each operation must succeed, so that each run tests a success; some cases stay unchanged.
    first = alone and case.operation.label not in granted
    if first:
        granted.add(case.operation.label)
    elif chance.random() < 0.2:
        return
    # Stateful sequences have their own transfers. Other cases get a new transfer: the states would soon be used up.
    if "transfer_id" in parameters and (alone or parameters["transfer_id"] not in sizes):
        state = FITTING.get(route, STATES[0]) if first else chance.choice(STATES)
        parameters["transfer_id"] = chance.choice(KEPT) if route in LOOKS else made(**state)
    there = parameters.get("transfer_id")
    if case.operation.path == "/transfers/create" and isinstance(case.body, dict):
        fit_terms(case.body)
    elif route == "upload-bytes" and there in sizes:
        case.query = {"offset": received[there]}
        case.body = bytes(sizes[there] - received[there])
    elif route == "create-presign-urls":
        case.body = {"numbers": chance.choice([[], [1]])}
    elif route in ("create-presign-url", "download-bytes", "add"):
        case.headers.pop("x-sgsend-access", None)
        if there in protected:
            case.headers["x-sgsend-access"] = PROOF
        # Cases reached through OpenAPI links have a real grant.
        if case.meta.phase.name != "stateful":
            case.headers.pop("x-sgsend-grant", None)
            case.query = {}
        if first:
            case.headers.pop("range", None)
        if route == "download-bytes" and not first and chance.random() < 0.5:
            case.headers.update(chance.choice(PARTS))
        if route == "download-bytes" and not first and chance.random() < 0.1:
            case.headers[chance.choice(["if-match", "if-none-match"])] = chance.choice([f'"{there}"', '"another"'])
    elif route == "set-auth-cookie":
        case.headers["origin"] = ADMIN
        case.body = {"cookie_value": KEY}
    elif route == "end-session":
        case.headers["origin"] = ADMIN
    elif route == "delete-many":
        one = {"transfer_ids": [made(upload=0), chance.choice(KEPT)]}
        case.body = one if first else chance.choice([one, {"token_id": revoked["token_id"]}])
    elif "link_id" in parameters and alone:
        parameters["link_id"] = linked(there)
    elif case.operation.path.startswith("/requests/id/"):
        parameters["token_id"] = requested()
    elif "token_id" in parameters and case.meta.phase.name != "stateful":
        parameters["token_id"] = revoked["token_id"]
    elif route == "list" or route == "all":
        (case.query or {}).pop("after", None)


def fit_terms(body):
    """Reduces size and download limit, so that a few requests upload, download and exhaust the transfer."""
    body["size_bytes"] = 1 + body["size_bytes"] % LARGEST
    if body.get("access_sha256"):
        body["access_sha256"] = DIGEST
    if body.get("max_downloads"):
        body["max_downloads"] = 1 + body["max_downloads"] % 3


class From(requests.adapters.HTTPAdapter):
    """Connects from a random loopback address, because ten wrong admin keys lock an address out."""

    def init_poolmanager(self, *args, **kwargs):
        address = "127.{}.{}.{}".format(chance.randrange(1, 255), chance.randrange(256), chance.randrange(1, 255))
        super().init_poolmanager(*args, source_address=(address, 0), **kwargs)


own_adapter = requests.Session.get_adapter
requests.Session.get_adapter = lambda session, url: From() if url.startswith(ADMIN) else own_adapter(session, url)


@schemathesis.hook
def after_call(context, case, response):
    answers[f"{case.operation.label} {response.status_code}"] += 1
    if response.status_code not in (200, 201) or "json" not in response.headers.get("content-type", [""])[0]:
        return
    told = response.json()
    if case.operation.path == "/transfers/create":
        there = told["transfer_id"]
        sizes[there] = told["size_bytes"]
        received.setdefault(there, 0)
        if isinstance(case.body, dict) and case.body.get("access_sha256"):
            protected.add(there)
    elif "received_bytes" in told:
        received[told["transfer_id"]] = told["received_bytes"]


@schemathesis.deserializer("application/octet-stream")
def payload(context, response):
    return response.content.decode("latin-1")


@atexit.register
def keep():
    with open(os.environ["FUZZ_ANSWERS"], "w") as file:
        json.dump(answers, file)
