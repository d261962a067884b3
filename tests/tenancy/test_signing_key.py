"""The record of a signing key, and whether what DNS shows is it."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from gatepost.tenancy.record import signing_key_from, signing_key_record
from gatepost.tenancy.signing_key import Algorithm, KeyState, SigningKey, why_not_published, zone_line

AT = datetime(2026, 1, 2, tzinfo=UTC)
KEY = SigningKey(
    tenant="contoso",
    domain="contoso.com",
    selector="gp202601",
    algorithm=Algorithm.RSA_2048,
    public_key="A" * 392,
    state=KeyState.RETIRING,
    created_at=AT,
    retired_at=AT,
    rotate_days=180,
)
RIGHT = KEY.record_value


def test_what_is_written_is_read_back() -> None:
    assert signing_key_from(signing_key_record(KEY)) == KEY
    assert signing_key_record(KEY)["state"] == "retiring"


def test_a_long_record_is_split_as_zone_files_want_it() -> None:
    line = zone_line(KEY)
    strings = line.partition("( ")[2].removesuffix(" )").split('" "')
    assert line.startswith('gp202601._domainkey.contoso.com. IN TXT ( "v=DKIM1; k=rsa; p=A')
    assert "".join(strings).strip('"') == RIGHT and all(len(each.strip('"')) <= 255 for each in strings)


@pytest.mark.parametrize(
    "records",
    [
        [RIGHT],
        ["unrelated text", RIGHT],
        [f'"{RIGHT[:200]}" "{RIGHT[200:]}"'],
        [f"p={KEY.public_key}"],
        [f"v=DKIM1;k=rsa;h=sha256:sha1;s=email;t=y;n=note; p={KEY.public_key[:100]} {KEY.public_key[100:]} ;"],
    ],
)
def test_the_record_is_known_in_every_form(records: list[str]) -> None:
    assert why_not_published(KEY, records) is None


@pytest.mark.parametrize(
    ("records", "says"),
    [
        ([], "no DKIM record"),
        (["v=spf1 -all"], "no DKIM record"),
        (["v=DKIM2; p=x"], "no DKIM record"),
        ([RIGHT, RIGHT.replace("A", "B")], "2 DKIM records"),
        (["v=DKIM1; p="], "revoked"),
        (["v=DKIM1; k=ed25519; p=" + KEY.public_key], "k=ed25519"),
        (["v=DKIM1; k=rsa; p=" + KEY.public_key[:255]], "cut off after 255"),
        (["v=DKIM1; k=rsa; p=other"], "another public key"),
        ([RIGHT + "; h=sha1"], "sha256"),
        ([RIGHT + "; s=tlsrpt"], "does not allow mail"),
    ],
)
def test_what_is_wrong_with_a_record_is_said(records: list[str], says: str) -> None:
    assert says in (why_not_published(KEY, records) or "")


def test_a_record_stays_a_week_after_its_key() -> None:
    assert KEY.record_may_go_at == datetime(2026, 1, 9, tzinfo=UTC)
    assert replace(KEY, retired_at=None).record_may_go_at is None
