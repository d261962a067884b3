"""A verifier of DKIM signatures by the letter of RFC 6376, with the whole message in hand and no eye on speed.

It shares no line with what signs. `interop` asks opendkim, dkimpy and rspamd the same.
"""

import re
from base64 import b64decode
from collections.abc import Mapping
from hashlib import sha256

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key

Records = Mapping[str, str]
"""Name to text of a TXT record."""


def verified(message: bytes, records: Records) -> list[str]:
    """`domain/selector` of each signature that holds, from the top."""
    header, _, body = message.partition(b"\r\n\r\n")
    fields = re.split(rb"\r\n(?![ \t])", header)
    signatures = [field for field in fields if _name(field) == b"dkim-signature"]
    return [label for each in signatures if (label := _holds(each, fields, body, records))]


def _holds(signature: bytes, fields: list[bytes], body: bytes, records: Records) -> str | None:
    tags = _tags(signature.partition(b":")[2].decode())
    assert tags["v"] == "1" and tags["c"] == "relaxed/relaxed" and "l" not in tags and "x" not in tags
    if b64decode(tags["bh"]) != sha256(_body(body)).digest():
        return None
    left = list(fields)
    hashed = b""
    for name in tags["h"].lower().split(":"):
        found = [each for each in left if _name(each) == name.strip().encode()]
        if found:
            left.reverse()
            left.remove(found[-1])
            left.reverse()
            hashed += _field(found[-1]) + b"\r\n"
    hashed += re.sub(rb"b=[^;]*\Z", b"b=", _field(signature))
    key = _tags(records[f"{tags['s']}._domainkey.{tags['d']}"])
    try:
        _check(tags["a"], b64decode(key["p"]), b64decode(tags["b"]), hashed)
    except InvalidSignature:
        return None
    return f"{tags['d']}/{tags['s']}"


def _check(algorithm: str, public: bytes, proof: bytes, hashed: bytes) -> None:
    if algorithm == "ed25519-sha256":
        Ed25519PublicKey.from_public_bytes(public).verify(proof, sha256(hashed).digest())
        return
    key = load_der_public_key(public)
    assert isinstance(key, RSAPublicKey) and algorithm == "rsa-sha256"
    key.verify(proof, hashed, PKCS1v15(), SHA256())


def _body(body: bytes) -> bytes:
    body = re.sub(rb"[ \t]+", b" ", body)
    body = re.sub(rb" (?=\r\n|\Z)", b"", body)
    body = re.sub(rb"(\r\n)*\Z", b"", body)
    return body + b"\r\n" if body else b""


def _field(field: bytes) -> bytes:
    name, _, value = field.partition(b":")
    value = re.sub(rb"[ \t]+", b" ", value.replace(b"\r\n", b""))
    return name.strip(b" \t").lower() + b":" + value.strip(b" ")


def _name(field: bytes) -> bytes:
    return field.partition(b":")[0].strip(b" \t").lower()


def _tags(text: str) -> dict[str, str]:
    pairs = (each.partition("=") for each in text.split(";") if each.strip())
    return {name.strip(): re.sub(r"\s", "", value) for name, _, value in pairs}
