"""The signature field: what it covers, how it is written, that another verifier takes it."""

from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatepost.signing.body_hash import BodyHash
from gatepost.signing.private_key import new_pair, signing_with
from gatepost.signing.signature import MOST_FIELDS, Key, header_fields, signature
from signing.verifier import verified

HEADER = (
    b"From: Ann  <ann@contoso.com>\r\nTo: b@x.example,\r\n\t c@y.example\r\nSubject:  a \t b \r\n"
    b"Message-ID: <1@contoso.com>\r\nSender: bob@contoso.com\r\nX-Other: y"
)
BODY = b"Hello  \r\n\r\nthere.\r\n\r\n"


@cache
def key(algorithm: str) -> tuple[Key, dict[str, str]]:
    pair = new_pair(algorithm)
    kind = "ed25519" if algorithm == "ed25519" else "rsa"
    made = Key("contoso.com", f"s-{kind}", f"{kind}-sha256", signing_with(pair.private))
    return made, {f"s-{kind}._domainkey.contoso.com": f"v=DKIM1; k={kind}; p={pair.public}"}


def signed(header: bytes, body: bytes, algorithm: str = "rsa2048") -> bytes:
    message = header + b"\r\n\r\n" + body
    hashed = BodyHash()
    hashed.take(message)
    fields = header_fields(header)
    assert fields is not None
    return signature(fields, hashed.digest(), key(algorithm)[0], 1_796_000_000) + message


@pytest.mark.parametrize("algorithm", ["rsa2048", "ed25519"])
def test_a_verifier_that_shares_no_code_takes_it(algorithm: str) -> None:
    message, records = signed(HEADER, BODY, algorithm), key(algorithm)[1]
    assert len(verified(message, records)) == 1
    assert verified(b"Received: from elsewhere\r\n" + message, records)
    assert verified(message.replace(b"Hello  ", b"Hello\t"), records)


@pytest.mark.parametrize(
    "changed",
    [
        lambda message: message.replace(b"there", b"where"),
        lambda message: message.replace(b"Message-ID: <1@", b"Message-ID: <2@"),
        lambda message: message.replace(b"Sender: bob", b"Sender: eve"),
        # Each of them could show a reader something else, where only what is there were signed (RFC 6376 8.15).
        lambda message: b"From: eve@evil.example\r\n" + message,
        lambda message: b"Subject: another\r\n" + message,
        lambda message: message.replace(b"X-Other", b"Content-Type: text/html\r\nX-Other"),
        lambda message: message.replace(b"X-Other", b"Reply-To: eve@evil.example\r\nX-Other"),
        lambda message: message.replace(b"X-Other", b"List-Unsubscribe: <https://evil.example>\r\nX-Other"),
        lambda message: message + b"more\r\n",
    ],
)
def test_what_a_reader_sees_cannot_be_changed(changed: object) -> None:
    message = signed(HEADER, BODY)
    altered = changed(message)  # type: ignore[operator]
    assert altered != message and verified(altered, key("rsa2048")[1]) == []


def test_its_lines_are_short_and_it_says_when() -> None:
    field = signed(HEADER, BODY).partition(b"From:")[0]
    assert field.endswith(b"\r\n") and all(len(line) <= 78 for line in field.split(b"\r\n"))
    assert b" t=1796000000;" in field and b"l=" not in field.replace(b"rel", b"")


TEXT = st.binary(max_size=40).map(lambda octets: octets.replace(b"\r", b"").replace(b"\n", b""))
VALUES = st.lists(TEXT, min_size=1, max_size=3).map(b"\r\n\t".join)
NAMES = st.sampled_from([b"From", b"To", b"SUBJECT", b"subject", b"List-Id", b"X-Y", b"Received", b"References"])


@given(st.lists(st.tuples(NAMES, VALUES), min_size=1, max_size=8), st.binary(max_size=60))
def test_whatever_fields_there_are_a_verifier_takes_it(fields: list[tuple[bytes, bytes]], body: bytes) -> None:
    header = b"\r\n".join(name + b":" + value for name, value in fields)
    plain = body.replace(b"\r", b"").replace(b"\n", b"\r\n") + b"\r\n"
    assert verified(signed(header, plain), key("rsa2048")[1])


@pytest.mark.parametrize("header", [b"no colon", b": no name", b" begins with a fold: x", b"a: b\r\n\r\nc: d"])
def test_what_is_not_made_of_fields_is_not_signed(header: bytes) -> None:
    assert header_fields(header) is None


def test_a_header_of_too_many_fields_is_not_signed() -> None:
    assert header_fields(b"\r\n".join([b"a: b"] * MOST_FIELDS)) is not None
    assert header_fields(b"\r\n".join([b"a: b"] * (MOST_FIELDS + 1))) is None
