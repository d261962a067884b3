"""A connector is tried, saved, and taken back; what somebody else did meanwhile is said. Sessions are in end_to_end."""

import re
from datetime import UTC, datetime
from typing import Any

from gatepost.admin.directory import inbound_connectors, tokens

FORM = "/tenants/contoso/connector-form"


def add(console: Any, tenant: str = "contoso") -> None:
    with console.editor() as editor:
        inbound_connectors.add(editor, tenant, "mail", {"addresses": ["192.0.2.1"]})


def mark(page: str) -> str:
    found = re.search(r'name="as_of" value="([0-9a-f]*)"', page)
    assert found
    return found[1]


def fields(**said: str) -> dict[str, str]:
    return {"name": "mail", "type": "on-premises", "enabled": "on", "step": "try", **said}


def addresses(console: Any, tenant: str = "contoso") -> list[str]:
    with console.editor() as editor:
        return [str(each) for each in editor.inbound_connector(tenant, "mail").addresses]


def test_a_connector_is_made_by_its_form(console: Any) -> None:
    for name, tenant in (("olga", None), ("ann", "contoso")):
        who = console.person(name, tenant)
        asked = fields(name=f"by-{name}", addresses="192.0.2.1", csrf=who.csrf())
        tried = who.submit(FORM, **asked)
        assert tried.status_code == 200 and "No other recent session" in tried.text
        assert "identifies nobody" in tried.text, "warnings are shown"
        saved = who.submit(FORM, **{**asked, "step": "save"})
        assert saved.status_code == 303
        assert "Saved as change" in who.get(saved.headers["location"]).text


def test_what_is_wrong_is_said_where_the_field_is(console: Any) -> None:
    ann = console.person("ann", "contoso")
    answer = ann.submit(FORM, **fields(addresses="192.0.2.999", csrf=ann.csrf()))
    assert answer.status_code == 409
    beside = answer.text.partition('id="f-addresses"')[2].partition("</p>")[0]
    assert 'aria-invalid="true"' in beside and "192.0.2.999" in beside and 'role="alert"' in beside
    no_name = ann.submit(FORM, **fields(name="", addresses="192.0.2.1", csrf=ann.csrf()))
    assert no_name.status_code == 409 and "cannot be the name" in no_name.text
    for text in ("mx.fabrikam.com", "mx.nobody.example"):
        refused = ann.submit(FORM, **fields(certificate_names=text, csrf=ann.csrf()))
        assert refused.status_code == 409 and "gatepost domain add contoso" in refused.text
        assert "fabrikam" not in refused.text.replace(text, "")


def test_a_change_onto_what_somebody_changed_meanwhile_is_not_made(console: Any) -> None:
    add(console)
    ann = console.person("ann", "contoso")
    seen = mark(ann.get(f"{FORM}?connector=mail").text)
    with console.editor() as editor:
        inbound_connectors.change(editor, "contoso", "mail", {"addresses": ["192.0.2.50"]})
    for step in ("try", "save"):
        asked = fields(addresses="192.0.2.2", as_of=seen, step=step, csrf=ann.csrf())
        answer = ann.submit(FORM, **asked)
        assert answer.status_code == 409 and "changed meanwhile by tester" in answer.text
        assert "192.0.2.50" in answer.text and "192.0.2.2" in answer.text
    assert addresses(console) == ["192.0.2.50/32"]
    again = ann.submit(FORM, **{**asked, "as_of": mark(answer.text), "step": "save"})
    assert again.status_code == 303 and addresses(console) == ["192.0.2.2/32"]
    taken = ann.submit(FORM, **fields(addresses="192.0.2.3", csrf=ann.csrf()))
    assert taken.status_code == 409 and "already" in taken.text
    with console.editor() as editor:
        inbound_connectors.remove(editor, "contoso", "mail")
    gone = ann.submit(FORM, **{**asked, "as_of": seen})
    assert gone.status_code == 409 and "not there any more" in gone.text


def test_who_may_only_read_sees_the_changes_of_connectors_alone(console: Any) -> None:
    add(console)
    ann, rita = console.person("ann", "contoso"), console.person("rita", "contoso", "tenant-read")
    with console.editor() as editor:
        tokens.add(editor, "contoso", ["read"], "never", datetime.now(UTC))
        version_of = {entry.subject.partition(" ")[0]: entry.version for entry in editor.audit(tenant="contoso")}
    for kind in ("person", "token", "inbound-connector"):
        path = f"/changes/{version_of[kind]}"
        assert ann.get(path).status_code == 200
        assert rita.get(path).status_code == (200 if kind == "inbound-connector" else 404)


def test_a_change_is_shown_and_taken_back(console: Any) -> None:
    add(console)
    ann, fred = console.person("ann", "contoso"), console.person("fred", "fabrikam")
    form = ann.get(f"{FORM}?connector=mail&addresses=192.0.2.2").text
    assert "192.0.2.1/32\n192.0.2.2" in form, "what the address proposes joins what is stored"
    asked = fields(addresses="192.0.2.2", as_of=mark(form), step="save", csrf=ann.csrf())
    version = ann.submit(FORM, **asked).headers["location"].rpartition("=")[2]
    shown = ann.get(f"/changes/{version}").text
    assert "192.0.2.1/32" in shown and "192.0.2.2/32" in shown and "Take back" in shown
    assert fred.get(f"/changes/{version}").status_code == 404
    assert fred.submit(f"/changes/{version}/take-back", csrf=fred.csrf()).status_code == 404
    assert ann.submit(f"/changes/{version}/take-back", csrf=ann.csrf()).status_code == 303
    assert addresses(console) == ["192.0.2.1/32"]
    assert ann.submit(f"/changes/{version}/take-back", csrf=ann.csrf()).status_code == 409
    assert "cannot be taken back" in ann.get(f"/changes/{version}").text


def test_other_tenants_and_readers_have_no_form(console: Any) -> None:
    add(console, "fabrikam")
    ann, reader = console.person("ann", "contoso"), console.person("rea", "contoso", "tenant-read")
    foreign = "/tenants/fabrikam/connector-form"
    assert ann.get(f"{foreign}?connector=mail").status_code == ann.get(f"{foreign}?connector=none").status_code == 404
    answer = ann.submit(foreign, **fields(addresses="192.0.2.2", step="save", csrf=ann.csrf()))
    assert answer.status_code == 404 and addresses(console, "fabrikam") == ["192.0.2.1/32"]
    assert reader.get(FORM).status_code == 403
    assert reader.submit(FORM, **fields(step="save", csrf=reader.csrf())).status_code == 403


def test_a_tenant_tries_so_often_and_the_operator_as_often_as_it_likes(console: Any) -> None:
    fred, olga = console.person("fred", "fabrikam"), console.person("olga")
    asked = fields(addresses="192.0.2.2", csrf=fred.csrf())
    answers = [fred.submit("/tenants/fabrikam/connector-form", **asked).status_code for _ in range(25)]
    assert answers[0] == 200 and answers[-1] == 429
    asked["csrf"] = olga.csrf()
    assert olga.submit("/tenants/fabrikam/connector-form", **asked).status_code == 200
