"""Reads and writes the sealed format of docs/format.md, with the standard library and one package for AES-GCM.

Written from that page alone, so that it shows the page to be complete. For reading and for tests, not for use: everything
is in memory, and nothing is compared in constant time.

    example.py open KEY PAYLOAD OUTPUT [PASSPHRASE]     prints the metadata, and writes the content
    example.py seal FILE PAYLOAD [KEY SALT PREFIX]      prints a new key; the last three, in hex, are for test vectors
    example.py proof KEY [PASSPHRASE]                   prints the access proof and its digest
    example.py info KEY BLOCK [PASSPHRASE]              prints the content of an info block
    example.py link ID KEY WRAPPED [PASSPHRASE]         prints the payload key of a further link, as a v1. key
    example.py add ID KEY PAYLOAD_KEY NAME [NONCES [PASSPHRASE]]    prints wrapped key and label of a further link
    example.py label ID PAYLOAD_KEY LABEL               prints the name of a further link
    example.py newlink [passphrase]                     prints the id and the key of a new further link
    example.py commitment KEY                           prints the commitment to the payload key of a v1. key
    example.py signature KEY SIGNATURE SSHSIG           prints a sealed signature's other members, and writes the SSHSIG
    example.py statement KEY PAYLOAD BASE_URL INFO KEYS SIGNATURE   prints what was signed; - for no INFO, no file KEYS
    example.py sizes                                    reads plaintext sizes, prints padded sizes
    example.py list KEY PAYLOAD                         prints the entries in the index of an archive
    example.py extract KEY PAYLOAD PATH OUTPUT          writes one file of an archive, found by the index
    example.py archive FOLDER PAYLOAD [KEY SALT PREFIX] seals the files of a folder as an archive with an index
"""

import base64
import hashlib
import hmac
import io
import json
import os
import sys
import tarfile
import unicodedata

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

SEGMENT = 1_048_576
HEADER = 40
TAG = 16
MAGIC = b"SGMETA\0"


def hkdf(key, salt, info, length):
    extracted = hmac.digest(salt or bytes(32), key, "sha256")
    block, output = b"", b""
    for counter in range(1, 256):
        block = hmac.digest(extracted, block + info + bytes([counter]), "sha256")
        output += block
        if len(output) >= length:
            return output[:length]
    raise ValueError("too long")


def to_text(sealed):
    return base64.urlsafe_b64encode(sealed).rstrip(b"=").decode()


def from_text(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def payload_key(text, passphrase=None):
    """Derives the payload key from the text behind the # of a transfer's own link."""
    if not text.startswith("v1"):
        raise ValueError("the key of a further link: its payload key is wrapped")
    return link_secret(text, passphrase)


def link_secret(text, passphrase=None):
    """Derives the secret of a link, which is the payload key for the transfer's own link."""
    version, _, encoded = text.partition(".")
    has_passphrase = {"v1": False, "v1p": True, "v2": False, "v2p": True}.get(version)
    if len(encoded) != 43 or has_passphrase != (passphrase is not None):
        raise ValueError("not the key of a link, or a passphrase is missing or superfluous")
    key = base64.urlsafe_b64decode(encoded + "=")
    if to_text(key) != encoded:
        raise ValueError("not canonical base64url")
    if not has_passphrase:
        return key
    if not passphrase:
        raise ValueError("an empty passphrase")
    secret = unicodedata.normalize("NFC", passphrase).encode()
    salt = hkdf(key, b"", b"sgsend/v1/passphrase-salt", 16)
    stretched = hashlib.pbkdf2_hmac("sha256", secret, salt, 600_000, 32)
    return hkdf(key + stretched, b"", b"sgsend/v1/passphrase", 32)


def seal_for_link(secret, label, link_id, plaintext, nonce):
    """Seals a wrapped key or a label for one further link; returns the text form."""
    cipher = AESGCM(hkdf(secret, b"", label, 32))
    return to_text(nonce + cipher.encrypt(nonce, plaintext, label + bytes.fromhex(link_id)))


def unseal_for_link(secret, label, link_id, text):
    sealed = from_text(text)
    if to_text(sealed) != text:
        raise ValueError("not canonical base64url")
    cipher = AESGCM(hkdf(secret, b"", label, 32))
    return cipher.decrypt(sealed[:12], sealed[12:], label + bytes.fromhex(link_id))


def padded_name(name):
    encoded = name.encode()
    if not 1 <= len(encoded) <= 64:
        raise ValueError("a name has 1 to 64 bytes")
    return encoded.ljust(64, b"\0")


def access_proof(key):
    return hkdf(key, b"", b"sgsend/v1/access", 32)


def unseal_info(block, key):
    """Returns the content of an info block in its text form."""
    sealed = from_text(block)
    if (len(sealed) - 28) % 1024 or not 1024 <= len(sealed) - 28 <= 16_384:
        raise ValueError("no info block has this length")
    label = b"sgsend/v1/info"
    return json.loads(AESGCM(hkdf(key, b"", label, 32)).decrypt(sealed[:12], sealed[12:], label).decode())


def unseal_signature(block, key):
    """Returns a signature with its recipients and time."""
    sealed = from_text(block)
    label = b"sgsend/v1/signature"
    return json.loads(AESGCM(hkdf(key, b"", label, 32)).decrypt(sealed[:12], sealed[12:], label).decode())


def commitment(key):
    return hkdf(key, b"", b"sgsend/v1/commitment", 32)


def tree_hash(leaves):
    """The Merkle tree hash of RFC 6962 over pieces of a payload."""
    if not leaves:
        return hashlib.sha256().digest()
    if len(leaves) == 1:
        return hashlib.sha256(b"\0" + leaves[0]).digest()
    middle = 1 << (len(leaves) - 1).bit_length() - 1
    return hashlib.sha256(b"\1" + tree_hash(leaves[:middle]) + tree_hash(leaves[middle:])).digest()


def statement(key, payload, base_url, info, keys, signature):
    """Returns the text that a sender has signed."""
    pieces = [payload[at : at + SEGMENT] for at in range(0, len(payload), SEGMENT)]
    digest = lambda content: "-" if content is None else hashlib.sha256(content).hexdigest()
    lines = [
        "sgsend-signature-v1",
        base_url,
        payload[:HEADER].hex(),
        tree_hash(pieces).hex(),
        str(len(payload)),
        commitment(key).hex(),
        digest(info),
        digest(keys),
        ",".join(signature["recipients"]) if "recipients" in signature else "*",
        str(signature["signed_at"]),
    ]
    return "".join(line + "\n" for line in lines)


def seal_info(info, key, nonce):
    encoded = json.dumps(info, ensure_ascii=False, separators=(",", ":")).encode()
    encoded += b" " * (-len(encoded) % 1024)
    label = b"sgsend/v1/info"
    sealed = nonce + AESGCM(hkdf(key, b"", label, 32)).encrypt(nonce, encoded, label)
    return to_text(sealed)


def padded(size):
    """Returns the size to which a plaintext of `size` bytes is padded."""
    exponent = size.bit_length() - 1
    if exponent < 1:
        return size
    step = 1 << (exponent - exponent.bit_length())
    return -(-size // step) * step


def nonce(header, index, is_last):
    return header[33:] + index.to_bytes(4, "big") + bytes([is_last])


def segments(key, header):
    return AESGCM(hkdf(key, header[1:33], b"sgsend/v1", 32))


def seal(plaintext, key, header):
    cipher, sealed, at, index = segments(key, header), [header], 0, 0
    while True:
        space = SEGMENT - TAG - (HEADER if index == 0 else 0)
        is_last = at + space >= len(plaintext)
        sealed.append(cipher.encrypt(nonce(header, index, is_last), plaintext[at : at + space], None))
        if is_last:
            return b"".join(sealed)
        at, index = at + space, index + 1


def unseal(payload, key):
    header = payload[:HEADER]
    if len(header) < HEADER or header[0] != HEADER:
        raise ValueError("not a sealed payload")
    cipher, plaintext = segments(key, header), []
    count = -(-len(payload) // SEGMENT)
    for index in range(count):
        start = index * SEGMENT if index else HEADER
        segment = payload[start : (index + 1) * SEGMENT]
        plaintext.append(cipher.decrypt(nonce(header, index, index == count - 1), segment, None))
    return b"".join(plaintext)


def envelope(metadata):
    encoded = json.dumps(metadata, ensure_ascii=False, separators=(",", ":")).encode()
    return MAGIC + len(encoded).to_bytes(4, "big") + encoded


def split(plaintext):
    """Returns the metadata and the content of a plaintext."""
    length = int.from_bytes(plaintext[7:11], "big")
    if plaintext[:7] != MAGIC or length > 65_536 or len(plaintext) < 11 + length:
        raise ValueError("no envelope")
    metadata = json.loads(plaintext[11 : 11 + length].decode())
    rest = plaintext[11 + length :]
    content, padding = rest[: metadata["size"]], rest[metadata["size"] :]
    if len(content) < metadata["size"] or any(padding):
        raise ValueError("the content is cut, or something follows it")
    return metadata, content


def index_of(content):
    """Returns the entries in the index at the end of an archive."""
    length = int.from_bytes(content[-8:], "big")
    start = len(content) - 8 - length - 8
    if length > 33_554_432 or start < 1_024 or content[start : start + 8] != b"SGINDEX\0":
        raise ValueError("no index")
    entries, end, kinds = json.loads(content[start + 8 : -8].decode()), 0, {}
    for entry in entries:
        path = entry["path"]
        names = path.split("/")
        if path in kinds or any(name in ("", ".", "..") for name in names) or "\\" in path or not path.isprintable():
            raise ValueError("an unsafe path, or one that occurs twice")
        if entry["offset"] < end or entry["offset"] % 512 or entry["data"] <= entry["offset"] or entry["data"] % 512:
            raise ValueError("entries overlap")
        end = entry["data"] + -(-entry["size"] // 512) * 512
        if end > start - 1_024 or (entry["size"] and entry["kind"] != "file"):
            raise ValueError("an entry outside the archive")
        kinds[path] = entry["kind"]
    for path in kinds:
        names = path.split("/")
        if any(kinds.get("/".join(names[:depth]), "directory") != "directory" for depth in range(1, len(names))):
            raise ValueError("an entry below a file")
    return entries


def extracted(content, path):
    """Returns a file of an archive, if its tar header agrees with the index."""
    entry = next(entry for entry in index_of(content) if entry["path"] == path)
    end = entry["data"] + -(-entry["size"] // 512) * 512
    with tarfile.open(fileobj=io.BytesIO(content[entry["offset"] : end] + bytes(1_024)), mode="r:") as tar:
        found = tar.next()
        agrees = (found.name, found.size, found.isreg()) == (path, entry["size"], entry["kind"] == "file")
        if not agrees or found.offset_data != entry["data"] - entry["offset"]:
            raise ValueError("the index is wrong")
        return tar.extractfile(found).read()


def archived(folder):
    """Returns the files and directories of a folder as a tar with an index."""
    packed, entries = io.BytesIO(), []
    with tarfile.open(fileobj=packed, mode="w:", format=tarfile.PAX_FORMAT) as tar:
        for root, folders, files in os.walk(folder):
            folders.sort()
            for name in sorted(folders + files):
                source = os.path.join(root, name)
                path = os.path.relpath(source, folder)
                info = tar.gettarinfo(source, path)
                info.uid = info.gid = 0
                info.uname = info.gname = ""
                info.mtime = int(info.mtime)
                kind = "directory" if info.isdir() else "file"
                info.mode = 0o755 if info.isdir() else 0o644
                offset = tar.offset
                if info.isdir():
                    tar.addfile(info)
                else:
                    with open(source, "rb") as file:
                        tar.addfile(info, file)
                data = tar.offset - -(-info.size // 512) * 512
                place = {"offset": offset, "data": data, "size": info.size}
                entries.append({"path": path, "kind": kind, **place, "mode": info.mode, "modified_ms": info.mtime * 1000})
    content = packed.getvalue()
    # tarfile fills its last record of 20 blocks with zeros; the index follows two of them.
    end = entries[-1]["data"] + -(-entries[-1]["size"] // 512) * 512 if entries else 0
    encoded = json.dumps(entries, ensure_ascii=False, separators=(",", ":")).encode()
    return content[:end] + bytes(1_024) + b"SGINDEX\0" + encoded + len(encoded).to_bytes(8, "big")


def write_sealed(metadata, content, payload, fixed):
    """Seals a content, pads it, and prints the key."""
    key, salt, prefix = map(bytes.fromhex, fixed) if fixed else (os.urandom(32), os.urandom(32), os.urandom(7))
    plaintext = envelope({**metadata, "size": len(content)}) + content
    plaintext += bytes(padded(len(plaintext)) - len(plaintext))
    with open(payload, "wb") as file:
        file.write(seal(plaintext, key, bytes([HEADER]) + salt + prefix))
    print("v1." + base64.urlsafe_b64encode(key).rstrip(b"=").decode())


def read_content(text, payload):
    with open(payload, "rb") as file:
        return split(unseal(file.read(), payload_key(text)))[1]


def main(command, *arguments):
    if command == "open":
        text, payload, output, *passphrase = arguments
        with open(payload, "rb") as file:
            metadata, content = split(unseal(file.read(), payload_key(text, *passphrase)))
        with open(output, "wb") as file:
            file.write(content)
        print(json.dumps(metadata))
    elif command == "seal":
        source, payload, *fixed = arguments
        with open(source, "rb") as file:
            write_sealed({"filename": os.path.basename(source)}, file.read(), payload, fixed)
    elif command == "link":
        link_id, key, wrapped, *passphrase = arguments
        print("v1." + to_text(unseal_for_link(link_secret(key, *passphrase), b"sgsend/v1/wrap", link_id, wrapped)))
    elif command == "add":
        link_id, key, own, name, *rest = arguments
        nonces, passphrase = (bytes.fromhex(rest[0]) if rest and rest[0] else os.urandom(24)), rest[1:]
        secret, payload = link_secret(key, *passphrase), payload_key(own)
        print(seal_for_link(secret, b"sgsend/v1/wrap", link_id, payload, nonces[:12]))
        print(seal_for_link(payload, b"sgsend/v1/label", link_id, padded_name(name), nonces[12:]))
    elif command == "label":
        link_id, own, label = arguments
        print(unseal_for_link(payload_key(own), b"sgsend/v1/label", link_id, label).rstrip(b"\0").decode())
    elif command == "newlink":
        print(os.urandom(16).hex(), ("v2p." if arguments else "v2.") + to_text(os.urandom(32)))
    elif command == "archive":
        folder, payload, *fixed = arguments
        name = os.path.basename(os.path.abspath(folder))
        write_sealed({"filename": name, "archive": "tar"}, archived(folder), payload, fixed)
    elif command == "list":
        print(json.dumps(index_of(read_content(*arguments))))
    elif command == "extract":
        text, payload, path, output = arguments
        with open(output, "wb") as file:
            file.write(extracted(read_content(text, payload), path))
    elif command == "proof":
        proof = access_proof(link_secret(*arguments))
        print(proof.hex(), hashlib.sha256(proof).hexdigest())
    elif command == "info":
        text, block, *passphrase = arguments
        print(json.dumps(unseal_info(block, payload_key(text, *passphrase))))
    elif command == "commitment":
        print(to_text(commitment(payload_key(*arguments))))
    elif command == "signature":
        text, block, output = arguments
        signature = unseal_signature(block, payload_key(text))
        with open(output, "w") as file:
            file.write(signature.pop("sshsig"))
        print(json.dumps(signature))
    elif command == "statement":
        text, path, base_url, info, keys, block = arguments
        key = payload_key(text)
        with open(path, "rb") as file:
            payload = file.read()
        wrapped = None
        if keys != "-":
            with open(keys, "rb") as file:
                wrapped = file.read()
        block = unseal_signature(block, key)
        print(statement(key, payload, base_url, None if info == "-" else from_text(info), wrapped, block), end="")
    elif command == "sizes":
        for line in sys.stdin:
            print(padded(int(line)))
    else:
        raise ValueError(command)


if __name__ == "__main__":
    main(*sys.argv[1:])
