"""Iteration counts, wherever a salt stands before one."""

from gatepost.doctor.readers.asn1 import derivations


def element(tag: int, content: bytes) -> bytes:
    length = bytes((len(content),)) if len(content) < 128 else b"\x82" + len(content).to_bytes(2)
    return bytes((tag,)) + length + content


def salted(count: bytes) -> bytes:
    return element(0x30, element(0x04, b"salt") + element(0x02, count))


def test_a_number_behind_a_salt_counts_however_deep_it_is() -> None:
    once = salted(b"\x10\x00")
    assert derivations(once) == 4096
    assert derivations(element(0x30, once + element(0x04, element(0xA0, once)))) == 2 * 4096
    assert derivations(salted(b"\x7f\xff\xff\xff")) == 2**31 - 1


def test_other_numbers_do_not_count() -> None:
    assert derivations(element(0x30, element(0x02, b"\x7f\xff\xff\xff") + element(0x04, b"x"))) == 0
    assert derivations(salted(b"\xff\xff")) == 0


def test_an_indefinite_length_hides_nothing() -> None:
    assert derivations(b"\x30\x80" + salted(b"\x10\x00") + b"\0\0") == 4096


def test_what_is_no_asn1_counts_for_nothing_and_has_an_end() -> None:
    assert derivations(b"") == derivations(b"\x30") == derivations(b"\x30\x84\xff\xff\xff\xff" + b"x" * 99) == 0
    deep = salted(b"\x10\x00")
    for _ in range(500):
        deep = element(0x30, deep)
    assert derivations(deep) == 0
