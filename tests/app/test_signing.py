"""Which keys sign: those of the domain's owner at that moment, and nobody else's."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gatepost.admin.directory import domains, tenants
from gatepost.app.signing import DirectorySigningKeys
from gatepost.signing.message import Unsigned
from gatepost.signing.private_key import new_pair
from gatepost.store.directory.editor import SqliteDirectoryEditor
from gatepost.store.directory.signing_keys import Seal, seal_beside
from gatepost.store.directory.sqlite_directory import SqliteDirectory
from gatepost.tenancy.signing_key import Algorithm, KeyState, SigningKey

AT = datetime(2026, 1, 2, tzinfo=UTC)
PAIR = new_pair("ed25519")


class World:
    def __init__(self, folder: Path) -> None:
        self.file = folder / "directory.sqlite"
        self.editor = SqliteDirectoryEditor(self.file, who="tester")
        for tenant in ("contoso", "fabrikam"):
            tenants.add(self.editor, tenant, AT)
            self.owns(tenant, f"{tenant}.com")
        self.directory = SqliteDirectory(self.file)
        self.told: list[dict[str, object]] = []
        self.keys = DirectorySigningKeys(
            self.directory, Seal(seal_beside(self.file)), "relay.example.net", lambda _, **said: self.told.append(said)
        )

    def owns(self, tenant: str, domain: str) -> None:
        domains.add(self.editor, tenant, domain, match_subdomains=False, verified=True, at=AT)

    def sign(self, tenant: str | None, domain: str, selector: str = "s") -> None:
        key = SigningKey(
            tenant=tenant,
            domain=domain,
            selector=selector,
            algorithm=Algorithm.ED25519,
            public_key=PAIR.public,
            state=KeyState.PENDING,
            created_at=AT,
        )
        self.editor.signing_keys.add(key, PAIR.private)
        self.editor.signing_keys.put(replace(key, state=KeyState.ACTIVE), "activate")
        self.directory.refresh()

    def signs(self, author: str, *tenants: str) -> list[str] | str:
        found = self.keys.keys_of(tenants, author)
        return found.why if isinstance(found, Unsigned) else [f"{key.domain}/{key.selector}" for key in found]


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_the_owners_keys_sign_for_the_domain_and_below(world: World) -> None:
    assert not world.keys.may_sign(["contoso", "fabrikam"])
    world.sign("contoso", "contoso.com", "a")
    world.sign("contoso", "contoso.com", "b")
    assert world.keys.may_sign(["fabrikam", "contoso"]) and not world.keys.may_sign(["fabrikam"])
    assert world.signs("contoso.com", "contoso") == ["contoso.com/a", "contoso.com/b"]
    assert world.signs("mail.news.contoso.com", "contoso") == ["contoso.com/a", "contoso.com/b"]
    world.owns("contoso", "news.contoso.com")
    world.sign("contoso", "news.contoso.com", "c")
    assert world.signs("mail.news.contoso.com", "contoso") == ["news.contoso.com/c"]


def test_nobody_signs_for_anothers_domain(world: World) -> None:
    world.sign("contoso", "contoso.com")
    world.sign("fabrikam", "fabrikam.com")
    assert "not a verified domain" in world.signs("contoso.com", "fabrikam")
    assert "not a verified domain" in world.signs("tailspin.com", "contoso", "fabrikam")
    assert world.signs("fabrikam.com", "contoso", "fabrikam") == ["fabrikam.com/s"]
    world.owns("fabrikam", "lab.contoso.com")
    world.directory.refresh()
    assert "not a verified domain" in world.signs("lab.contoso.com", "contoso")
    assert world.signs("lab.contoso.com", "fabrikam") == "lab.contoso.com has no active signing key"


def test_a_domain_that_is_lost_is_no_longer_signed_for(world: World) -> None:
    world.sign("contoso", "contoso.com")
    domains.change(world.editor, "contoso.com", match_subdomains=None, verified=False, at=AT)
    world.directory.refresh()
    assert "not a verified domain" in world.signs("contoso.com", "contoso")


def test_the_relays_own_messages_are_signed_by_the_operator(world: World) -> None:
    message = b"From: postmaster@relay.example.net\r\n\r\nhello\r\n"
    world.sign("contoso", "contoso.com")
    assert world.keys.own_message(message, 0.0) == message
    world.sign(None, "example.net")
    assert b"d=example.net;" in world.keys.own_message(message, 0.0)


def test_a_key_that_cannot_be_opened_stops_no_mail_and_is_told_once(world: World) -> None:
    world.sign("contoso", "contoso.com")
    seal_beside(world.file).write_text("00" * 32)
    for _ in range(3):
        assert world.signs("contoso.com", "contoso") == "the signing key of contoso.com cannot be opened"
    (said,) = world.told
    assert (said["tenant"], said["key"]) == ("contoso", "contoso.com/s") and "restore it from the same backup" in str(
        said["problem"]
    )
