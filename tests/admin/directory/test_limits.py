"""How much a tenant may own, how wide a network it may list, and how the operator goes beyond."""

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from admin.directory.test_import_lines import imported
from gatepost.admin.directory import domains, inbound_connectors, send_connectors, tenants, tokens
from gatepost.admin.directory.send_connectors import CredentialVerdict
from gatepost.admin.enrolment import one_time_addresses
from gatepost.errors import BadRequest, LimitReached, NetworkTooWide, Refused
from gatepost.store.directory.bulk import SqliteBulkEditor
from gatepost.store.directory.editor import SqliteDirectoryEditor as Editor
from gatepost.tenancy.allowance import Allowance
from gatepost.tenancy.notation import named_limit
from gatepost.tenancy.one_time_address import Purpose
from gatepost.tenancy.tenant import DEFAULT_LIMITS

SMALL = replace(
    DEFAULT_LIMITS,
    domains=4,
    unverified_domains=2,
    inbound_connectors=2,
    send_connectors=2,
    tokens=2,
    rehearsals=2,
    enrolments=2,
    certificate_names=2,
    pins=2,
    addresses=2,
    sender_domains=2,
    trust_anchors=2,
    address_spaces=2,
    smart_hosts=2,
)


@pytest.fixture
def bulk(tmp_path: Path) -> Iterator[SqliteBulkEditor]:
    with closing(SqliteBulkEditor(tmp_path / "bulk.sqlite", who="tester")) as editor:
        yield editor


@contextmanager
def asked_by(editor: Editor, **allowance: object) -> Iterator[None]:
    was = editor.allowance
    editor.allowance = Allowance(**{"limits": SMALL, **allowance})  # type: ignore[arg-type]
    try:
        yield
    finally:
        editor.allowance = was


def claim(editor: Editor, tenant: str, number: int, at: datetime, *, verified: bool = False) -> None:
    domains.add(editor, tenant, f"d{number}.{tenant}.example", match_subdomains=False, verified=verified, at=at)


def inbound(editor: Editor, tenant: str, number: int, at: datetime, **wish: object) -> None:
    said = {"addresses": ["192.0.2.1"], **wish}
    inbound_connectors.add(editor, tenant, f"c{number}", dict(**said))  # type: ignore[arg-type]


def outbound(editor: Editor, tenant: str, number: int, at: datetime, **wish: object) -> None:
    said = dict(**{"tenant": tenant, "address_spaces": ["*"], **wish})  # type: ignore[arg-type]
    send_connectors.add(editor, f"{tenant}/s{number}", said, lambda *_: CredentialVerdict())


def token(editor: Editor, tenant: str, number: int, at: datetime) -> None:
    tokens.add(editor, tenant, (), "90d", at)


def rehearsal(editor: Editor, tenant: str, number: int, at: datetime) -> None:
    one_time_addresses.make(editor, tenant, Purpose.REHEARSAL, at)


def enrolment(editor: Editor, tenant: str, number: int, at: datetime) -> None:
    one_time_addresses.make(editor, tenant, Purpose.ENROLMENT, at)


OBJECTS: dict[str, tuple[Callable[..., None], str]] = {
    "unverified_domains": (claim, "unverified domains"),
    "inbound_connectors": (inbound, "inbound connectors"),
    "send_connectors": (outbound, "send connectors"),
    "tokens": (token, "tokens"),
}


@pytest.mark.parametrize("limit", OBJECTS)
def test_a_tenant_has_so_many_and_the_operator_allows_it_more(editor: Editor, at: datetime, limit: str) -> None:
    make, noun = OBJECTS[limit]
    with asked_by(editor):
        for number in range(2):
            make(editor, "contoso", number, at)
        with pytest.raises(LimitReached, match=f"tenant contoso has reached its limit of 2 {noun}; ") as reached:
            make(editor, "contoso", 2, at)
        option = limit.replace("_", "-")
        assert f"gatepost tenant set contoso --limit {option}=4" in str(reached.value)
        assert "gatepost" not in str(reached.value.to_tenant) and "ask the relay's operator" in str(
            reached.value.to_tenant
        )
        make(editor, "fabrikam", 0, at)
        tenants.change(editor, "contoso", limits=dict([named_limit(f"{option}=3")]))
        make(editor, "contoso", 2, at)
        tenants.change(editor, "contoso", limits=dict([named_limit(f"{option}=0")]))
        make(editor, "contoso", 3, at)


def test_domains_of_both_kinds_count_and_verified_ones_have_room_of_their_own(editor: Editor, at: datetime) -> None:
    with asked_by(editor):
        for number in range(2):
            claim(editor, "contoso", number, at)
        for number in range(2, 4):
            claim(editor, "contoso", number, at, verified=True)
        with pytest.raises(LimitReached, match="its limit of 4 domains"):
            claim(editor, "contoso", 4, at, verified=True)


def test_tokens_that_open_nothing_take_no_room(editor: Editor, at: datetime) -> None:
    with asked_by(editor):
        first, _ = tokens.add(editor, "contoso", (), "90d", at)
        tokens.add(editor, "contoso", (), "1d", at)
        tokens.revoke(editor, first.id, at)
        token(editor, "contoso", 2, at)
        token(editor, "contoso", 3, at + timedelta(days=2))
        with pytest.raises(LimitReached):
            token(editor, "contoso", 4, at + timedelta(days=2))


@pytest.mark.parametrize("make", [rehearsal, enrolment])
def test_one_time_addresses_that_wait_are_bounded(editor: Editor, at: datetime, make: Callable[..., None]) -> None:
    with asked_by(editor):
        for number in range(2):
            make(editor, "contoso", number, at)
        with pytest.raises(LimitReached, match="use those, or wait until they expire"):
            make(editor, "contoso", 2, at)
        make(editor, "contoso", 3, at + timedelta(days=2))
        make(editor, "fabrikam", 0, at)


LISTS: dict[str, tuple[Callable[..., None], str, list[str]]] = {
    "certificate_names": (inbound, "--certificate-name", ["a.example", "b.example", "c.example"]),
    "pins": (inbound, "--certificate-sha256 and --public-key-sha256", []),
    "addresses": (inbound, "--address", ["192.0.2.1", "192.0.2.2", "192.0.2.3"]),
    "sender_domains": (inbound, "--sender-domain", ["a.example", "b.example", "c.example"]),
    "address_spaces": (outbound, "--address-space", ["a.example", "b.example", "c.example"]),
    "smart_hosts": (outbound, "--smart-host", ["a.example", "b.example", "c.example"]),
}


@pytest.mark.parametrize("limit", LISTS)
def test_a_connector_has_so_many_of_each(editor: Editor, at: datetime, limit: str) -> None:
    make, option, values = LISTS[limit]
    pins = {"certificate_sha256": ["aa" * 32, "bb" * 32], "public_key_sha256": ["cc" * 32]}
    too_many = {limit: values} if values else pins
    with asked_by(editor):
        with pytest.raises(LimitReached, match=f"^{option}: 3 exceed the limit of 2") as reached:
            make(editor, "contoso", 0, at, **too_many)
        assert f"tenant set contoso --limit {limit.replace('_', '-')}=4" in str(reached.value)
        make(editor, "contoso", 0, at, **{name: each[:1] for name, each in too_many.items()})


def test_what_is_over_a_lowered_limit_stays_and_may_shrink_but_not_grow(editor: Editor, at: datetime) -> None:
    names = [f"n{number}.example" for number in range(4)]
    inbound(editor, "contoso", 0, at, certificate_names=names)
    with asked_by(editor):
        change = inbound_connectors.change
        change(editor, "contoso", "c0", {"require_tls": True})
        change(editor, "contoso", "c0", {"certificate_names": names[:3]})
        with pytest.raises(LimitReached):
            change(editor, "contoso", "c0", {"certificate_names": names})


@pytest.mark.parametrize(
    ("network", "tenant_may", "operator_may"),
    [
        ("192.0.2.0/24", True, True),
        ("192.0.2.0/23", False, True),
        ("10.1.0.0/16", False, True),
        ("10.0.0.0/15", False, False),
        ("0.0.0.0/0", False, False),
        ("2001:db8:1::/48", True, True),
        ("2001:db8::/47", False, True),
        ("2001:db8::/32", False, True),
        ("2001:db8::/31", False, False),
        ("::/0", False, False),
    ],
)
def test_the_widest_network_depends_on_who_lists_it(
    editor: Editor, at: datetime, network: str, tenant_may: bool, operator_may: bool
) -> None:
    inbound(editor, "contoso", 0, at)
    wish = {"addresses": ["192.0.2.1", network]}
    ways = (
        lambda: inbound_connectors.change(editor, "contoso", "c0", wish),
        lambda: inbound_connectors.put(editor, "contoso", "c0", wish, enabled=None),
        lambda: inbound_connectors.put(editor, "contoso", "c1", wish, enabled=False),
        lambda: inbound_connectors.add(editor, "contoso", "c2", wish, enabled=False),
    )

    class TakenBack(Exception):
        pass

    def is_allowed(way: Callable[[], object]) -> bool:
        try:
            with editor.change():
                way()
                raise TakenBack
        except TakenBack:
            return True
        except NetworkTooWide as wide:
            assert f"--address {network} is wider than /" in str(wide) and "--yes" not in str(wide.to_tenant)
            return False

    for asker, may in (({"by_tenant": True}, tenant_may), ({}, operator_may), ({"beyond": True}, True)):
        with asked_by(editor, **asker):
            assert {is_allowed(way) for way in ways} == {may}, asker


def test_a_wide_network_from_before_stays_but_a_new_one_beside_it_is_refused(editor: Editor, at: datetime) -> None:
    with asked_by(editor, beyond=True):
        inbound(editor, "contoso", 0, at, addresses=["10.0.0.0/8"])
    with asked_by(editor, by_tenant=True):
        change = inbound_connectors.change
        change(editor, "contoso", "c0", {"addresses": ["10.0.0.0/8", "192.0.2.1"], "require_tls": True})
        inbound_connectors.enable(editor, "contoso", "c0")
        with pytest.raises(NetworkTooWide, match=r"--address 11\.0\.0\.0/8 is wider than /24"):
            change(editor, "contoso", "c0", {"addresses": ["10.0.0.0/8", "11.0.0.0/8"]})


def test_a_partner_connector_grants_nothing_and_may_list_a_provider_but_not_turn_on_premises(
    editor: Editor, at: datetime
) -> None:
    with asked_by(editor, by_tenant=True):
        inbound(editor, "contoso", 0, at, type="partner", addresses=["52.100.0.0/14"])
        with pytest.raises(NetworkTooWide):
            inbound_connectors.change(editor, "contoso", "c0", {"type": "on-premises"})


def test_a_tenant_may_have_wider_networks_of_its_own(editor: Editor, at: datetime) -> None:
    tenants.change(editor, "contoso", limits=dict([named_limit("ipv4-prefix=20")]))
    with asked_by(editor, by_tenant=True):
        inbound(editor, "contoso", 0, at, addresses=["10.0.0.0/20"])
        with pytest.raises(NetworkTooWide):
            inbound(editor, "fabrikam", 0, at, addresses=["10.0.0.0/20"])


def test_an_import_is_held_to_the_same_limits(bulk: SqliteBulkEditor, at: datetime) -> None:
    connectors = [
        {"kind": "inbound-connector", "tenant": "contoso", "name": f"c{number}", "addresses": ["192.0.2.1"]}
        for number in range(3)
    ]
    claims = [{"kind": "domain", "tenant": "contoso", "domain": f"d{number}.example"} for number in range(3)]
    wide = {"kind": "inbound-connector", "tenant": "contoso", "name": "wide", "addresses": ["10.0.0.0/8"]}
    sends = [
        {"kind": "send-connector", "tenant": "contoso", "name": f"s{n}", "address_spaces": [{"space": "*", "cost": 1}]}
        for n in range(3)
    ]
    tenant = {"kind": "tenant", "name": "contoso"}
    bulk.allowance = Allowance(limits=SMALL)
    for lines, says in (
        (connectors, ":4: tenant contoso has reached its limit of 2 inbound connectors"),
        (claims, ":4: tenant contoso has reached its limit of 2 unverified domains"),
        (sends, ":4: tenant contoso has reached its limit of 2 send connectors"),
        ([wide], ":2: addresses 10.0.0.0/8 is wider than /16"),
    ):
        with pytest.raises(Refused, match=says):
            imported(bulk, tenant, *lines)
    imported(bulk, tenant, *connectors[:2])
    with pytest.raises(Refused, match=r"its limit of \d+ inbound connectors"):
        imported(bulk, connectors[2])
    own = {**tenant, "limits": {"inbound_connectors": 3}}
    imported(bulk, own, *connectors)
    bulk.allowance = Allowance(limits=SMALL, beyond=True)
    imported(bulk, *connectors, wide, *claims, *sends)
    bulk.allowance = Allowance(limits=SMALL)
    assert not imported(bulk, wide, *claims).warned, "what is stored already is left alone"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("inbound-connectors", "write it as NAME=COUNT"),
        ("inbound-conectors=3", "did you mean inbound-connectors"),
        ("x=3", "known: messages-per-minute, "),
        ("pins=many", "'many' is not a limit"),
        ("ipv4-prefix=33", "at most 32 bits"),
    ],
)
def test_a_limit_that_does_not_exist_names_the_nearest(text: str, says: str) -> None:
    with pytest.raises(BadRequest, match=says):
        named_limit(text)


def test_every_refusal_names_the_tenant_alone(editor: Editor, at: datetime) -> None:
    for tenant in ("contoso", "fabrikam"):
        for number in range(2):
            inbound(editor, tenant, number, at)
    with asked_by(editor, by_tenant=True), pytest.raises(Refused) as refused:
        inbound(editor, "contoso", 2, at)
    assert "fabrikam" not in str(refused.value)
