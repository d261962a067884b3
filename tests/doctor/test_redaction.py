"""What redaction hides, and what must hold afterwards as before."""

import ipaddress
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatepost.doctor.bundle_file import dump_bundle
from gatepost.doctor.evidence import EvidenceBundle, ProseFact, Source
from gatepost.doctor.reading import read_files
from gatepost.doctor.redaction import redacted

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
