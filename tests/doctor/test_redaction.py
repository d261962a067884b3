"""What redaction hides, and what must hold afterwards as before."""

import ipaddress
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gatepost.doctor.bundle_file import dump_bundle
from gatepost.doctor.evidence import EvidenceBundle, ProseFact
from gatepost.doctor.reading import read_files, read_text
from gatepost.doctor.redaction import redacted
from gatepost.exchange.source import Source
from soak import rounds

BUNDLES = sorted(each for each in (Path(__file__).parent / "bundles").iterdir() if each.is_dir())
NAMES = re.compile(
    r"(?<![\d.])(?:198\.51\.100|192\.0\.2)\.\d+(?![\d.])|(?<![\w-])[a-z][a-z0-9-]+\.example(?![\w-])|(?<![0-9A-F])[0-9A-F]{40}(?![0-9A-F])"
)
KEY = b"a key of the test"


@pytest.mark.parametrize("folder", BUNDLES, ids=lambda each: each.name)
def test_redaction_leaves_no_name_address_or_serial(folder: Path) -> None:
    files = [each for each in sorted(folder.iterdir()) if each.name != "expect.toml"]
    names = {name for each in files for name in NAMES.findall(each.read_text("utf-8", "replace"))}
    text = dump_bundle(redacted(read_files(files), KEY))
    assert {name for name in names if name in text} == set()


def _told(text: str) -> str:
    bundle = EvidenceBundle(prose=(ProseFact(source=Source("a.txt"), quote=text, topic="other"),))
    return redacted(bundle, KEY).prose[0].quote


def test_the_same_name_becomes_the_same_name_everywhere() -> None:
    first, second = _told("mail.zanzibar.test and contact@zanzibar.test").split(" and ")
    assert "zanzibar" not in first + second
    assert second.rpartition("@")[2] == first.partition(".")[2]


def test_a_file_has_one_name_in_evidence_and_in_the_list_of_what_was_read(tmp_path: Path) -> None:
    file = tmp_path / "zanzibar-bounce.txt"
    file.write_text("host relay.example.net[192.0.2.1] said: 550 5.7.64 TenantAttribution; Relay Access Denied\n")
    bundle = redacted(read_files([file]), KEY)
    assert {each.source for each in bundle.read} == {each.source.file for each in bundle.replies}
    assert not any("zanzibar" in each.source for each in bundle.read)


def test_people_and_hosts_are_hidden_and_words_of_mail_are_not() -> None:
    told = _told("Zbigniew says SRVX77 presents another certificate since the renewal")
    assert "Zbigniew" not in told and "SRVX77" not in told
    assert "certificate since the renewal" in told


@given(st.ip_addresses(v=4), st.integers(16, 32))
def test_a_range_still_holds_the_addresses_it_held(address: ipaddress.IPv4Address, length: int) -> None:
    network = ipaddress.ip_network((address, length), strict=False)
    told = _told(f"{network} {address}").split()
    assert ipaddress.ip_address(told[1]) in ipaddress.ip_network(told[0], strict=False)


@given(st.ip_addresses(v=4))
def test_private_stays_private_and_public_public(address: ipaddress.IPv4Address) -> None:
    from gatepost.doctor.addresses import is_private

    assert is_private(ipaddress.ip_address(_told(str(address)))) == is_private(address)


LABELS = st.from_regex(r"[a-z]{4}q[a-z]{3,8}x[0-9]", fullmatch=True)
"""Labels that are no word of mail."""


@given(
    LABELS,
    LABELS,
    LABELS,
    st.ip_addresses(v=4).filter(lambda each: each.is_global),
    st.from_regex(r"[0-9A-F]{40}", fullmatch=True).filter(lambda each: any(sign.isdigit() for sign in each)),
    st.sampled_from(["log", "export", "list", "bounce", "words", "openssl", "postfix"]),
)
@pytest.mark.soak
@settings(max_examples=rounds(40, large=3000), deadline=None)
def test_a_secret_name_leaks_in_no_kind_of_evidence(
    person: str, domain: str, host: str, address: ipaddress.IPv4Address, thumbprint: str, form: str
) -> None:
    name = f"{host}.{domain}.example"
    reply = f"550 5.7.64 TenantAttribution; Relay Access Denied [{host}.eop-EUR05.prod.protection.outlook.com]"
    row = "2026-03-02T08:00:01.00{}Z,Out to {},08DE0001A2B3C4D5,{},10.0.0.4:5011,203.0.113.36:25,{}"
    text = {
        "log": "\n".join(
            (
                row.format(1, domain, 1, f"<,250  x.outlook.com Hello [{address}] SIZE 1 STARTTLS,"),
                row.format(2, domain, 2, f'*,"CN={name}, O={domain} Ltd",Certificate subject'),
                row.format(2, domain, 3, f"*,{thumbprint},Certificate thumbprint"),
                row.format(3, domain, 4, f">,MAIL FROM:<{person}@{domain}.example> SIZE=1,"),
                row.format(4, domain, 5, f"<,{reply},"),
            )
        ),
        "export": f'[{{"Name": "From {domain}", "ConnectorType": "OnPremises", "TlsSenderCertificateName": "{name}", '
        f'"SenderIPAddresses": ["{address}"], "Comment": "ask {person}"}}]',
        "list": f"Name : {host}\nConnectorType : OnPremises\nSenderIPAddresses : {{{address}}}\nWhoChanged : {person}",
        "bounce": f"Generating server: {name}\n{person}@{domain}.example\n{reply}\nRemote-MTA: dns;{name}",
        "words": f"{person} of {domain} renewed the certificate of {host} ({thumbprint}); mail comes from {address}.",
        "openssl": f"subject=CN = {name}, O = {domain}\nissuer=CN = {host} CA\nserial={thumbprint}",
        "postfix": f"Jun  9 08:00:02 {host} postfix/smtp[9]: C2D4E80123: to=<{person}@{domain}.example>, "
        f"relay={name}[{address}]:25, delay=1, dsn=5.7.64, status=bounced (host {name}[{address}] said: {reply})",
    }[form]
    told = dump_bundle(redacted(read_text(text), KEY)).casefold()
    leaked = [each for each in (person, domain, host, str(address), thumbprint.casefold()) if each in told]
    assert leaked == []
