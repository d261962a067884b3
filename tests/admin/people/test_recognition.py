"""Somebody whom a provider vouches for is who the operator said, or what a group gives; names identify nobody."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from admin.people.test_signing_in import PASSWORD, Plain
from gatepost.admin.people import passkeys, people, signing_in
from gatepost.admin.people.recognition import recognise
from gatepost.errors import NotAllowed
from gatepost.store.directory.editor import SqliteDirectoryEditor
from gatepost.tenancy.person import Identity, Passkey, Person, Role
from gatepost.tenancy.provider import Assertion, GroupRole, Provider

FROM = "192.0.2.1"
ISSUER = "https://login.example"
PROVIDER = Provider(
    name="acme",
    issuer=ISSUER,
    client_id="x",
    groups_claim="groups",
    groups=(
        GroupRole(group="ops", role=Role.OPERATOR),
        GroupRole(group="contoso-read", role=Role.TENANT_READ, tenant="Contoso"),
        GroupRole(group="fabrikam", role=Role.TENANT_ADMIN, tenant="fabrikam"),
        GroupRole(group="gone", role=Role.TENANT_ADMIN, tenant="tailspin"),
    ),
)


def says(subject: str = "s-1", name: str | None = "Ann", groups: list[str] | None = None) -> Assertion:
    return Assertion(identity=Identity(ISSUER, subject), preferred_name=name, groups=groups)


def come(editor: SqliteDirectoryEditor, at: datetime, said: Assertion, link: str | None = None) -> Person:
    person, secret = recognise(editor, PROVIDER, said, link, FROM, at)
    entered = signing_in.entered(editor, secret, at)
    assert entered and entered.person.name == person.name
    return person


def test_a_group_makes_a_person_who_is_found_again(editor: SqliteDirectoryEditor, at: datetime) -> None:
    first = come(editor, at, says(groups=["x", "contoso-read"]))
    assert (first.name, first.role, first.tenant) == ("Ann@acme", Role.TENANT_READ, "contoso")
    again = come(editor, at, says(name="Renamed", groups=["contoso-read"]))
    assert again == first and len(people.every(editor, None)) == 1


def test_without_a_role_nobody_is_made(editor: SqliteDirectoryEditor, at: datetime) -> None:
    for groups in (None, [], ["x"]):
        with pytest.raises(NotAllowed, match="nobody here has the identity s-1") as refused:
            come(editor, at, says(groups=groups))
        assert f"--oidc {ISSUER} s-1" in str(refused.value)
    assert people.every(editor, None) == []


def test_names_that_are_alike_link_nobody(editor: SqliteDirectoryEditor, at: datetime) -> None:
    people.add(editor, "Ann@acme", None, None, at)
    made = come(editor, at, says(groups=["contoso-read"]))
    assert made.name.startswith("Ann@acme-") and made.role is Role.TENANT_READ
    people.add_known_elsewhere(editor, "bob", "contoso", None, Identity(ISSUER, "S-2"), at)
    with pytest.raises(NotAllowed):
        come(editor, at, says("s-2"))
    assert come(editor, at, says("S-2")).name == "bob"


@pytest.mark.parametrize(
    "name", [None, "", "<script>", "ü", "../..", "-x", "x" * 500, "a b\n", "olga@elsewhere.example"]
)
def test_whatever_the_provider_calls_them_is_a_plain_name(
    editor: SqliteDirectoryEditor, at: datetime, name: str | None
) -> None:
    made = come(editor, at, says(name=name, groups=["ops"]))
    assert made.name.endswith("@acme") and len(made.name) <= 64
    people.link(editor, made.name, at)
    people.add(editor, f"{made.name[:50]}x", None, None, at)


def test_groups_decide_at_each_sign_in_and_their_absence_lets_nobody_in(
    editor: SqliteDirectoryEditor, at: datetime
) -> None:
    come(editor, at, says(groups=["ops"]))
    with pytest.raises(NotAllowed, match="did not send your groups"):
        come(editor, at, says(groups=None))
    moved = come(editor, at, says(groups=["fabrikam"]))
    assert (moved.role, moved.tenant) == (Role.TENANT_ADMIN, "fabrikam")
    assert people.every(editor, "fabrikam") == [moved] and people.every(editor, "contoso") == []
    with pytest.raises(NotAllowed, match="none of your groups"):
        come(editor, at, says(groups=[]))
    assert people.named(editor, moved.name) == moved
    actions = [each.action for each in editor.audit(subject=f"person {moved.name}")]
    assert actions == ["end-sessions", "set-role", "add"]


def test_a_role_that_was_taken_back_ends_the_sessions_that_had_it(editor: SqliteDirectoryEditor, at: datetime) -> None:
    ann, secret = recognise(editor, PROVIDER, says(groups=["ops"]), None, FROM, at)
    _, of_bob = recognise(editor, PROVIDER, says("s-2", "Bob", ["fabrikam"]), None, FROM, at)
    with pytest.raises(NotAllowed, match="did not send your groups"):
        recognise(editor, PROVIDER, says(groups=None), None, FROM, at)
    assert signing_in.entered(editor, secret, at), "silence takes nothing back"
    with pytest.raises(NotAllowed, match="none of your groups"):
        recognise(editor, PROVIDER, says(groups=["x"]), None, FROM, at)
    assert editor.people.sessions_of(ann.name) == [] and signing_in.entered(editor, secret, at) is None
    assert signing_in.entered(editor, of_bob, at)


def test_whose_role_follows_groups_proves_it_by_the_provider_alone(editor: SqliteDirectoryEditor, at: datetime) -> None:
    ann = come(editor, at, says(groups=["ops"]))
    _, link = people.link(editor, ann.name, at)
    with pytest.raises(NotAllowed, match="with the provider only"):
        signing_in.set_password(editor, Plain(), link, PASSWORD, FROM, at)
    with pytest.raises(NotAllowed, match="none of your groups"):
        come(editor, at, says("s-2", groups=[]), link)
    phone = Passkey(id="cGhvbmU", person=ann.name, public_key=b"cose", sign_count=3, label="phone", created_at=at)
    with pytest.raises(NotAllowed, match="with the provider only"):
        passkeys.add(editor, phone)
    # As an earlier version let them.
    editor.people.put_passkey(phone)
    editor.people.put(replace(ann, password=Plain().hashed(PASSWORD), password_set_at=at), "set-password")
    editor.people.end_sessions_of(ann.name)
    with pytest.raises(NotAllowed, match="with the provider only"):
        passkeys.sign_in(editor, phone.id, lambda passkey: passkey.sign_count + 1, FROM, at)
    with pytest.raises(NotAllowed, match="with the provider only"):
        signing_in.sign_in(editor, Plain(), ann.name, PASSWORD, FROM, at)
    assert editor.people.sessions_of(ann.name) == []
    people.set_role(editor, ann.name, "operator")
    person, _ = passkeys.sign_in(editor, phone.id, lambda passkey: passkey.sign_count + 1, FROM, at)
    assert not person.role_by_groups, "the operator decides it now"


def test_a_role_that_the_operator_gave_is_not_changed_by_groups(editor: SqliteDirectoryEditor, at: datetime) -> None:
    people.add(editor, "olga", None, None, at)
    people.add_known_elsewhere(editor, "ann", "contoso", "tenant-read", Identity(ISSUER, "s-1"), at)
    for groups in (["ops"], [], None):
        assert come(editor, at, says(groups=groups)).role is Role.TENANT_READ
    made = come(editor, at, says("s-2", groups=["ops"]))
    people.set_role(editor, made.name, "operator-read")
    assert come(editor, at, says("s-2", groups=["ops"])).role is Role.OPERATOR_READ


def test_a_link_links_the_identity_of_whoever_comes_with_it_once(editor: SqliteDirectoryEditor, at: datetime) -> None:
    _, link = people.add(editor, "ann", "contoso", None, at)
    linked = come(editor, at, says(groups=["ops"]), link)
    assert (linked.name, linked.role) == ("ann", Role.TENANT_ADMIN)
    assert come(editor, at, says()).name == "ann"
    with pytest.raises(NotAllowed, match="used already"):
        come(editor, at, says("s-2"), link)
    _, other = people.add(editor, "bob", "fabrikam", None, at)
    with pytest.raises(NotAllowed, match="belongs to another person"):
        come(editor, at, says(), other)
    with pytest.raises(NotAllowed, match="expired"):
        come(editor, at + timedelta(days=2), says("s-3"), other)


def test_a_link_used_with_a_provider_ends_what_was_proven_before(editor: SqliteDirectoryEditor, at: datetime) -> None:
    _, link = people.add(editor, "ann", "contoso", None, at)
    _, session = signing_in.set_password(editor, Plain(), link, PASSWORD, FROM, at)
    come(editor, at, says(), people.link(editor, "ann", at)[1])
    assert signing_in.entered(editor, session, at) is None
    with pytest.raises(NotAllowed, match="do not belong together"):
        signing_in.sign_in(editor, Plain(), "ann", PASSWORD, FROM, at)
    assert come(editor, at, says()).password_set_at is None


def test_who_is_disabled_does_not_come_in(editor: SqliteDirectoryEditor, at: datetime) -> None:
    people.add_known_elsewhere(editor, "ann", "contoso", None, Identity(ISSUER, "s-1"), at)
    people.disable(editor, "ann", at)
    with pytest.raises(NotAllowed, match="disabled"):
        come(editor, at, says(groups=["ops"]))


def test_a_tenant_that_is_not_there_is_one_line_and_nobody_is_made(editor: SqliteDirectoryEditor, at: datetime) -> None:
    with pytest.raises(NotAllowed, match="tenant tailspin, which does not exist"):
        come(editor, at, says(groups=["gone"]))
    assert people.every(editor, None) == []
    nobody = replace(says(groups=["gone", "ops"]), identity=Identity(ISSUER, "s-9"))
    assert come(editor, at, nobody).role is Role.OPERATOR
