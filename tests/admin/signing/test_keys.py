"""What administrators do with signing keys, and what they are kept from."""

import asyncio
from datetime import datetime, timedelta

import pytest

from gatepost.admin.directory import domains
from gatepost.admin.directory.verification import TxtAnswer
from gatepost.admin.signing import keys
from gatepost.errors import AlreadyExists, BadRequest, NotAllowed, NotFound
from gatepost.queue.next_hop import DnsProblem
from gatepost.store.directory.editor import SqliteDirectoryEditor as Editor
from gatepost.tenancy.signing_key import KeyState, SigningKey

HOST = "relay.example.net"


class Zone:
    """What DNS shows."""

    def __init__(self, *keys: SigningKey) -> None:
        self.records = {key.record_name: key.record_value for key in keys}
        self.fails = False

    async def txt(self, name: str) -> TxtAnswer:
        if self.fails:
            return DnsProblem(permanent=False, status="4.4.3", why="no name server answered")
        found = self.records.get(name)
        return (found,) if found else DnsProblem(permanent=True, status="5.1.2", why=f"{name} does not exist in DNS")


@pytest.fixture
def owned(editor: Editor, at: datetime) -> Editor:
    for tenant in ("contoso", "fabrikam"):
        domains.add(editor, tenant, f"{tenant}.com", match_subdomains=False, verified=True, at=at)
    return editor


def add(
    editor: Editor, at: datetime, tenant: str = "contoso", domain: str = "contoso.com", **said: object
) -> SigningKey:
    asked = {"selector": None, "rotate_days": None, **said}
    pair = keys.pair_for(str(asked.pop("algorithm", "ed25519")), None)
    return keys.add(editor, HOST, tenant, domain, pair=pair, at=at, **asked)  # type: ignore[arg-type]


def look(zone: Zone, key: SigningKey) -> keys.Published:
    return asyncio.run(keys.look(zone, key))


def seen(editor: Editor, zone: Zone, key: SigningKey, at: datetime) -> SigningKey:
    found = keys.seen(editor, look(zone, key), at)
    assert found is not None
    return found


def test_a_key_signs_once_dns_shows_it(owned: Editor, at: datetime) -> None:
    key = add(owned, at)
    assert (key.state, key.selector, key.tenant) == (KeyState.PENDING, f"gp{at:%Y%m}", "contoso")
    with pytest.raises(NotAllowed, match="no DKIM record"):
        keys.activate(owned, look(Zone(), key), at)
    active, stopped = keys.activate(owned, look(Zone(key), key), at)
    assert active.state is KeyState.ACTIVE and not stopped
    assert keys.every(owned, "contoso") == [active] and keys.every(owned, "fabrikam") == []


def test_one_of_each_kind_signs(owned: Editor, at: datetime) -> None:
    first, rsa = add(owned, at), add(owned, at, selector="rsa", algorithm="rsa2048")
    for key in (first, rsa):
        keys.activate(owned, look(Zone(key), key), at)
    second = add(owned, at, selector="next")
    _, stopped = keys.activate(owned, look(Zone(second), second), at)
    assert [each.selector for each in stopped] == [first.selector]
    states = {each.selector: each.state for each in keys.every(owned)}
    assert states == {first.selector: KeyState.RETIRING, "rsa": KeyState.ACTIVE, "next": KeyState.ACTIVE}


def test_whoever_does_not_own_a_domain_has_no_key_for_it(owned: Editor, at: datetime) -> None:
    with pytest.raises(NotFound):
        add(owned, at, domain="fabrikam.com")
    domains.add(owned, "contoso", "claimed.com", match_subdomains=False, verified=False, at=at)
    with pytest.raises(NotAllowed, match="not verified"):
        add(owned, at, domain="claimed.com")
    with pytest.raises(BadRequest, match=r"relay\.example\.net"):
        add(owned, at, tenant="-", domain="contoso.com")
    own = add(owned, at, tenant="-", domain="example.net")
    assert own.tenant is None and keys.every(owned, "-") == [own]


@pytest.mark.parametrize("selector", ["", "a b", "-x", "x-", "ä", "a" * 64, ".".join(["abcdefgh"] * 14), "a..b", "a\n"])
def test_a_selector_is_a_name_in_dns(owned: Editor, at: datetime, selector: str) -> None:
    with pytest.raises(BadRequest, match="selector"):
        add(owned, at, selector=selector)


def test_slips_are_refused_in_one_line(owned: Editor, at: datetime) -> None:
    add(owned, at, selector="One")
    with pytest.raises(AlreadyExists):
        add(owned, at, selector="one")
    with pytest.raises(BadRequest, match="algorithm"):
        add(owned, at, algorithm="dsa")
    with pytest.raises(NotFound, match="it has: one"):
        keys.named(owned, "contoso", "contoso.com", "two")
    add(owned, at, selector="two")
    with pytest.raises(BadRequest, match=r"several signing keys \(one, two\)"):
        keys.named(owned, "contoso", "contoso.com", None)
    with pytest.raises(NotFound, match="that is active"):
        keys.named(owned, "contoso", "contoso.com", None, (KeyState.ACTIVE,))
    with pytest.raises(NotFound, match="dkim add fabrikam"):
        keys.named(owned, "fabrikam", "fabrikam.com", None)


def test_a_domain_has_a_few_keys(owned: Editor, at: datetime) -> None:
    made = [add(owned, at).selector for _ in range(10)]
    assert len(set(made)) == 10
    with pytest.raises(NotAllowed, match="may have 10"):
        add(owned, at)


def test_a_key_in_use_is_retired_before_it_is_removed(owned: Editor, at: datetime) -> None:
    key = add(owned, at)
    with pytest.raises(NotAllowed, match="pending, and signs nothing"):
        keys.retire(owned, key, at)
    active, _ = keys.activate(owned, look(Zone(key), key), at)
    with pytest.raises(NotAllowed, match="dkim retire"):
        keys.remove(owned, active)
    stopped, goes_on = keys.retire(owned, active, at)
    assert not goes_on and stopped.record_may_go_at == at + timedelta(days=7)
    with pytest.raises(NotAllowed, match="is retiring"):
        keys.activate(owned, look(Zone(key), key), at)
    keys.remove(owned, stopped)
    assert keys.every(owned) == []


def test_what_dns_shows_is_remembered_and_its_silence_changes_nothing(owned: Editor, at: datetime) -> None:
    key, zone = add(owned, at), Zone()
    assert seen(owned, zone, key, at).missing_since is None, "it was never there"
    zone.records[key.record_name] = key.record_value
    assert seen(owned, zone, key, at).seen_at == at
    zone.fails = True
    published = look(zone, key)
    assert published.is_failure and "could not say" in (published.why_not or "")
    assert seen(owned, zone, key, at).missing_since is None
    zone.fails = False
    zone.records.clear()
    assert seen(owned, zone, key, at).missing_since == at
    actions = [each.action for each in owned.audit(subject="signing-key ")]
    assert actions == ["lose", "add"], "that a look found nothing new is no change"


def test_a_key_that_went_meanwhile_does_not_come_back(owned: Editor, at: datetime) -> None:
    key = add(owned, at)
    published = look(Zone(key), key)
    keys.remove(owned, key)
    with pytest.raises(NotFound, match="removed meanwhile"):
        keys.activate(owned, published, at)
    assert keys.seen(owned, published, at) is None
    again = add(owned, at)
    assert keys.seen(owned, published, at) is None, "that is another key of the same name"
    assert again.selector == key.selector
    with pytest.raises(NotFound, match="removed meanwhile"):
        keys.activate(owned, published, at)
