"""A PFX among the evidence wants its password hashed 2,147,483,647 times, and the doctor hangs for an hour.

What worked: the count is the file's own, and the library cannot be interrupted; no password had to be known, since an
empty one is tried first.
"""

import subprocess

import pytest

from gatepost.doctor.readers.asn1 import derivations
from gatepost.doctor.readers.key_stores import read
from pki import Pki

USUAL, ENDLESS = b"\x02\x02\x08\x00", b"\x02\x04\x7f\xff\xff\xff"


@pytest.fixture(scope="module")
def key_store(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    folder = tmp_path_factory.mktemp("pfx")
    leaf = Pki(folder).leaf("mail.contoso.com")
    made = folder / "own.pfx"
    command = ("openssl", "pkcs12", "-export", "-in", leaf.chain_file, "-inkey", leaf.key_file, "-out", made)
    subprocess.run([*map(str, command), "-iter", "2048", "-passout", "pass:"], check=True, capture_output=True)
    return made.read_bytes()


def never_opening(octets: bytes) -> bytes:
    """With another count in its integrity check, which is the last in it; each length around it grows by two."""
    at = octets.rindex(USUAL)
    assert at + len(USUAL) == len(octets)
    start = next(
        each for each in range(at, 0, -1) if octets[each] == 0x30 and each + 2 + octets[each + 1] == len(octets)
    )
    check = octets[start + 2 : at] + ENDLESS
    whole = octets[4:start] + bytes((0x30, len(check))) + check
    return b"\x30\x82" + len(whole).to_bytes(2) + whole


def test_a_key_store_of_a_common_program_is_read(key_store: bytes) -> None:
    assert 2 * 2048 <= derivations(key_store) <= 5 * 2048
    assert not isinstance(read(key_store, "own.pfx", None), str)


def test_one_that_would_never_open_is_refused_unopened(key_store: bytes) -> None:
    hostile = never_opening(key_store)
    assert derivations(hostile) > 2**31 - 2
    assert "iteration counts" in str(read(hostile, "own.pfx", lambda name: "secret"))
