"""A message is signed by the keys of its author's domain, or leaves as it is with the reason."""

from collections.abc import Collection, Sequence

import pytest

from gatepost.signing.message import MessageSigning, Signed, Unsigned, signed_whole
from gatepost.signing.private_key import new_pair, signing_with
from gatepost.signing.signature import Key
from signing.verifier import verified

PAIR, OTHER = new_pair("rsa2048"), new_pair("ed25519")
KEYS = (
    Key("contoso.com", "a", "rsa-sha256", signing_with(PAIR.private)),
    Key("contoso.com", "b", "ed25519-sha256", signing_with(OTHER.private)),
)
RECORDS = {
    "a._domainkey.contoso.com": f"v=DKIM1; k=rsa; p={PAIR.public}",
    "b._domainkey.contoso.com": f"v=DKIM1; k=ed25519; p={OTHER.public}",
}


class OneDomain:
    def may_sign(self, tenants: Collection[str]) -> bool:
        return "contoso" in tenants

    def keys_of(self, tenants: Collection[str], author: str) -> Sequence[Key] | Unsigned:
        return KEYS if author == "contoso.com" else Unsigned(f"{author} is nobody's")


def sign(header: bytes | None, body: bytes = b"hello\r\n") -> Signed | Unsigned:
    signing = MessageSigning(OneDomain(), ("contoso",))
    for octet in (header or b"") + b"\r\n\r\n" + body:
        signing.take(bytes([octet]))
    return signing.sign(header, 1_796_000_000.7)


def test_each_key_signs_the_whole_message() -> None:
    header = b"From: ann@contoso.com\r\nSubject: x"
    found = sign(header)
    assert isinstance(found, Signed) and found.keys == KEYS
    message = found.fields + header + b"\r\n\r\nhello\r\n"
    assert verified(message, RECORDS) == ["contoso.com/a", "contoso.com/b"]


@pytest.mark.parametrize(
    ("header", "why"),
    [
        (b"From: eve@fabrikam.com", "nobody's"),
        (b"Subject: x", "no From field"),
        (b"From: a@contoso.com\r\nFrom: b@fabrikam.com", "2 From fields"),
        (b"From: a@contoso.com\r\nno field", "not made of fields"),
        (None, "too long"),
    ],
)
def test_what_is_not_signed_has_a_reason(header: bytes | None, why: str) -> None:
    found = sign(header)
    assert isinstance(found, Unsigned) and why in found.why


def test_a_message_of_our_own_is_signed_whole() -> None:
    message = b"From: postmaster@contoso.com\r\nSubject: x\r\n\r\nhello\r\n"
    assert verified(signed_whole(message, KEYS, 0.0), RECORDS) == ["contoso.com/a", "contoso.com/b"]
    assert signed_whole(b"no header at all", KEYS, 0.0) == b"no header at all"
