"""Who may come in, shown to and changed by those who may; a tenant's administrator its own, and nobody themselves."""

import re
from datetime import UTC, datetime
from typing import Any

import pytest

from gatepost.admin.people import people
from gatepost.tenancy.person import Identity, Role

PASSWORD = "correct horse battery staple"


def test_a_link_is_shown_once_and_lets_in(console: Any) -> None:
    olga = console.person("olga")
    answer = olga.submit("/people", csrf=olga.csrf(), name="carl", tenant="contoso", role="tenant-read")
    found = re.search(r"https://127.0.0.1:8444(/link\?token=[\w-]+)", answer.text)
    assert answer.status_code == 200 and found
    assert "no-store" in answer.headers["cache-control"]
    carl = console.browser()
    assert "carl" in carl.get(found[1]).text
    assert carl.submit("/link", token=found[1].partition("=")[2], password=PASSWORD).status_code == 303
    page = olga.get("/people/carl").text
    assert found[1] not in page + olga.get("/people").text and "tenant-read" in page and "192.0.2.1" in page


def test_an_administrator_of_a_tenant_adds_to_its_own_whatever_the_form_says(console: Any) -> None:
    ann = console.person("ann", "contoso")
    answer = ann.submit("/people", csrf=ann.csrf(), name="bob", tenant="fabrikam", role="tenant-read")
    assert answer.status_code == 200
    for role in ("operator", "operator-read"):
        refused = ann.submit("/people", csrf=ann.csrf(), name="eve", tenant="", role=role)
        assert refused.status_code == 409 and "must be tenant-admin" in refused.text and 'value="eve"' in refused.text
    with console.editor() as editor:
        assert (found := editor.people.named("bob")) and found.tenant == "contoso"
        assert editor.people.named("eve") is None
        assert editor.audit(subject="person bob")[0].who == "person ann"


def test_another_tenants_people_are_nobody(console: Any) -> None:
    ann, _, _ = console.person("ann", "contoso"), console.person("fred", "fabrikam"), console.person("olga")
    page = ann.get("/people").text
    assert "ann" in page and "fred" not in page and "olga" not in page
    csrf = ann.csrf()
    for name in ("fred", "olga", "nobody"):
        assert ann.get(f"/people/{name}").status_code == 404
        for action in ("link", "role", "disable", "enable", "sign-out", "remove"):
            answer = ann.submit(f"/people/{name}/{action}", csrf=csrf, role="tenant-read")
            assert answer.status_code == 404, (name, action)
    with console.editor() as editor:
        assert [each.action for each in editor.audit(subject="person fred")] == ["set-password", "add"]


def test_roles_sessions_and_being_disabled_count_at_once(console: Any) -> None:
    olga, bob = console.person("olga"), console.person("bob", "contoso")
    csrf = olga.csrf()
    assert olga.submit("/people/bob/role", csrf=csrf, role="tenant-read").status_code == 303
    assert bob.get("/people").status_code == 403
    assert olga.submit("/people/bob/role", csrf=csrf, role="operator").status_code == 409
    assert olga.submit("/people/bob/sign-out", csrf=csrf).status_code == 303
    assert bob.get("/trace").status_code == 303
    assert bob.submit("/sign-in", name="bob", password=PASSWORD).status_code == 303
    assert olga.submit("/people/bob/disable", csrf=csrf).status_code == 303
    assert bob.get("/trace").status_code == 303 and "disabled" in olga.get("/people").text
    again = bob.submit("/sign-in", name="bob", password=PASSWORD)
    assert again.status_code == 403 and "disabled" in again.text
    assert "do not belong together" in bob.submit("/sign-in", name="bob", password="wrong").text
    assert olga.submit("/people/bob/link", csrf=csrf).status_code == 409
    assert olga.submit("/people/bob/enable", csrf=csrf).status_code == 303
    assert console.browser().submit("/sign-in", name="bob", password=PASSWORD).status_code == 303
    assert olga.submit("/people/bob/remove", csrf=csrf).status_code == 303
    assert olga.get("/people/bob").status_code == 404
    assert olga.submit("/people/olga/nothing", csrf=csrf).status_code == 404


@pytest.mark.parametrize("action", ["role", "disable", "remove", "link"])
def test_nobody_does_it_to_themselves(console: Any, action: str) -> None:
    ann = console.person("ann", "contoso")
    answer = ann.submit(f"/people/ANN/{action}", csrf=ann.csrf(), role="tenant-read")
    assert answer.status_code == 409 and "to themselves" in answer.text


def test_an_identity_and_a_role_by_groups_are_shown_as_what_they_are(console: Any) -> None:
    olga = console.person("olga")
    with console.editor() as editor:
        identity = Identity("https://login.example", "<b>s-1</b>")
        people.add_known_elsewhere(editor, "carl", "contoso", None, identity, datetime.now(UTC))
    page = olga.get("/people/carl").text
    assert "https://login.example" in page and "&lt;b&gt;s-1" in page and "<b>" not in page
    assert Role.TENANT_ADMIN in page


def test_a_tenant_adds_a_bounded_number(console: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(people, "MOST_OF_A_TENANT", 2)
    ann, olga = console.person("ann", "contoso"), console.person("olga")
    form = {"tenant": "contoso", "role": "tenant-read"}
    for browser, name, status in ((ann, "b", 200), (ann, "c", 409), (olga, "d", 200)):
        assert browser.submit("/people", csrf=browser.csrf(), name=name, **form).status_code == status
