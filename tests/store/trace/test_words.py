"""A text is stored once in a file, and read back as it was."""

import sqlite3
from contextlib import closing
from pathlib import Path

from gatepost.store.trace import words as module
from gatepost.store.trace.day_file import day_file, day_of, open_to_write
from gatepost.store.trace.words import Kind, KnownWords, NewWords, certificate_from, certificate_text
from gatepost.trace.story import Certificate


def opened(folder: Path) -> sqlite3.Connection:
    return open_to_write(day_file(folder, "tenants", day_of(0.0), 0))


def test_a_text_has_one_number_and_another_of_another_kind(tmp_path: Path) -> None:
    with closing(opened(tmp_path)) as connection:
        new = NewWords(connection)
        first = new.number(Kind.TENANT, "contoso")
        assert new.number(Kind.TENANT, "contoso") == first
        assert new.number(Kind.CONNECTOR, "contoso") != first
        assert new.number(Kind.TENANT, None) is None
        known = KnownWords(connection)
        assert (known.text(first), known.number(Kind.TENANT, "contoso")) == ("contoso", first)
        assert known.number(Kind.TENANT, "fabrikam") is None
        assert known.numbers(Kind.TENANT, lambda text: text.startswith("con")) == [first]


def test_what_is_forgotten_is_found_in_the_file_again(tmp_path: Path) -> None:
    remembered, module._REMEMBERED = module._REMEMBERED, 2
    try:
        with closing(opened(tmp_path)) as connection:
            new = NewWords(connection)
            numbers = [new.number(Kind.HOST, f"mx{number}") for number in range(5)]
            assert [new.number(Kind.HOST, f"mx{number}") for number in range(5)] == numbers
    finally:
        module._REMEMBERED = remembered


def test_a_text_of_any_length_is_kept_in_part(tmp_path: Path) -> None:
    with closing(opened(tmp_path)) as connection:
        number = NewWords(connection).number(Kind.WHY, "x" * 100_000)
        assert number == NewWords(connection).number(Kind.WHY, "x" * 100_000)
        assert KnownWords(connection).text(number) == "x" * 1000


def test_a_certificate_comes_back_whatever_its_names_hold() -> None:
    for names in ((), ("mail.contoso.com",), ('"],[', "\u202e", "a" * 300)):
        read = certificate_from(certificate_text(Certificate("ab", "cd", False, names)))
        assert read == Certificate("ab", "cd", False, tuple(name[:255] for name in names))
    assert certificate_text(None) is None and certificate_from(None) is None
