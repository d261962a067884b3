"""A file that has not even the word is not looked through."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from gatepost.store.trace import terms
from gatepost.store.trace.conditions import conditions_of
from gatepost.store.trace.day_file import day_file, day_of, open_to_write
from gatepost.store.trace.words import Kind, KnownWords, NewWords
from gatepost.trace.search import OwnDomain, Scope, Wanted
from gatepost.trace.story import Outcome

SCOPE = Scope(
    tenant="contoso", since=0.0, domains=[OwnDomain("contoso.com", 0.0, False)], networks=[], pins=frozenset()
)


@pytest.fixture
def words(tmp_path: Path) -> Iterator[KnownWords]:
    connection = open_to_write(day_file(tmp_path, "tenants", day_of(0.0), 0))
    new = NewWords(connection)
    new.number(Kind.TENANT, "contoso")
    new.number(Kind.DOMAIN, "contoso.com")
    yield KnownWords(connection)
    connection.close()


def test_without_the_word_there_is_nothing_to_find(words: KnownWords) -> None:
    for wanted in (
        Wanted(tenant="nobody"),
        Wanted(reason="no-such"),
        Wanted(domain="x.example"),
        Wanted(queue_id="3-4"),
    ):
        assert conditions_of(wanted, words, "tenants") is None
    assert conditions_of(Wanted(certificate="mail.contoso.com"), words, "tenants") is None


def test_the_most_telling_term_leads(words: KnownWords) -> None:
    found = conditions_of(Wanted(tenant="contoso", rcpt_to="bob@x.example"), words, "tenants")
    assert found and found.terms == (terms.of_recipient("bob@x.example"),)
    rare = conditions_of(Wanted(outcomes=frozenset({Outcome.REFUSED})), words, "tenants")
    assert rare and list(rare.terms) == [terms.of_outcome(Outcome.REFUSED)]
    common = conditions_of(Wanted(outcomes=frozenset({Outcome.DELIVERED})), words, "tenants")
    assert common and not common.terms


def test_a_scope_looks_for_refusals_of_nobody_among_strangers_only(words: KnownWords) -> None:
    tenants, strangers = (conditions_of(Wanted(scope=SCOPE), words, share) for share in ("tenants", "strangers"))  # type: ignore[arg-type]
    assert tenants and strangers
    assert "from_domain" not in tenants.where and "from_domain" in strangers.where
    assert len(tenants.terms) == 1 and len(strangers.terms) == 2


def test_what_a_filter_says_is_never_part_of_the_statement(words: KnownWords, tmp_path: Path) -> None:
    hostile = "x' OR 1=1 --"
    found = conditions_of(Wanted(mail_from=hostile, subject=hostile, message_id=hostile), words, "tenants")
    assert found and hostile not in found.where
    with pytest.raises(sqlite3.OperationalError):
        sqlite3.connect(":memory:").execute(f"SELECT 1 WHERE {hostile}")
