"""Objects are called what breaks a path; the operator manages them from elsewhere all the same."""

import json
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from end_to_end.api_client import Api, code_of, token_for
from end_to_end.installation import Installation, elsewhere
from gatepost.app import open_editor
from gatepost.tenancy.tenant import AddressSpace, InboundConnector, SendConnector, Tenant

UNUSABLE = [
    ".",
    "..",
    "a/b",
    "../x",
    "\\",
    "-x",
    "",
    " x",
    "x ",
    "a\tb",
    "a\nb",
    "a\x00b",
    "a\x9bb",
    "a\u202eb",
    "x" * 65,
]
HOSTILE = [
    "...",
    ".x",
    "%2e%2e",
    "%2F",
    "a?b=c",
    "a#b",
    "a;b",
    "a&b",
    "a b",
    "a+b",
    "é",
    "日本",
    "'\"",
    "$(x)",
    "..;",
    "x" * 64,
]
OLDER = [".", "..", "a\\b", "-x"]
"""Could be made before, and stand in directories."""


@pytest.fixture(scope="module")
def relay(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    relay = Installation(tmp_path_factory.mktemp("relay"), api=True, workers=1)
    relay.init()
    for tenant in ("contoso", "fabrikam"):
        relay("tenant", "add", tenant)
    with closing(open_editor(relay.settings)) as editor:
        for name in OLDER:
            editor.put_tenant(Tenant(name=name, created_at=datetime.now(UTC)), "add")
            editor.put_inbound_connector(InboundConnector(tenant="contoso", name=name, enabled=False), "add")
            space = (AddressSpace(space="x.example"),)
            editor.put_send_connector(SendConnector(name=name, address_spaces=space), "add")
            editor.put_send_connector(
                SendConnector(name=f"contoso/{name}", tenant="contoso", address_spaces=space), "add"
            )
    with relay.serving():
        yield relay
        assert "bug" not in relay.output


@pytest.fixture(scope="module")
def there(relay: Installation) -> tuple[str, ...]:
    file = relay.folder / "operator.token"
    file.write_text(token_for(relay, "--operator"))
    return ("--server", relay.api_url, "--token-file", str(file), "--ca", str(relay.folder / "server.pem"))


@pytest.fixture(scope="module")
def operator(relay: Installation) -> Iterator[Api]:
    with Api(relay, token_for(relay, "--operator")) as api:
        yield api


@pytest.mark.parametrize("name", UNUSABLE, ids=repr)
def test_no_face_makes_an_object_of_such_a_name(
    relay: Installation, operator: Api, there: tuple[str, ...], name: str
) -> None:
    if "\x00" not in name:
        for where in ((), there):
            relay(*where, "tenant", "add", "--", name, expect=2)
            relay(*where, "inbound-connector", "add", "--address", "192.0.2.1", "--", "contoso", name, expect=2)
            relay(*where, "send-connector", "add", "--address-space", "*", "--", name, expect=2)
    for path in ("tenants/{}", "tenants/fabrikam/inbound-connectors/{}", "tenants/fabrikam/send-connectors/{}"):
        new = {"If-None-Match": "*"}
        answer = operator.put(f"/v1/{path.format(_quoted(name))}", json=_body(path), headers=new)
        assert answer.status_code in (404, 405, 409, 412, 422), answer.text
        code_of(answer)


def test_an_import_makes_none_of_them(relay: Installation, tmp_path: Path) -> None:
    lines = [
        line
        for name in UNUSABLE
        if name not in OLDER
        for line in (
            {"kind": "tenant", "name": name},
            {"kind": "inbound-connector", "tenant": "contoso", "name": name, "addresses": ["192.0.2.1"]},
            {"kind": "send-connector", "name": name, "address_spaces": [{"space": "*", "cost": 1}]},
        )
    ]
    file = tmp_path / "lines"
    file.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    done = relay.here("import", "directory", str(file))
    assert done.returncode in (1, 2), done.stdout
    assert {each["name"] for each in relay.told("tenant", "list")} == {"contoso", "fabrikam", *OLDER}


@pytest.mark.parametrize("name", HOSTILE, ids=repr)
def test_what_may_be_made_is_managed_from_elsewhere(relay: Installation, there: tuple[str, ...], name: str) -> None:
    relay(*there, "tenant", "add", name)
    relay(*there, "inbound-connector", "add", name, name, "--address", "192.0.2.1")
    relay(*there, "send-connector", "add", name, "--address-space", "x.example", "--smart-host", "192.0.2.9")
    _manage(relay, there, tenant=name, name=name)
    assert [each["name"] for each in relay.told("tenant", "list") if each["name"] == name] == []


@pytest.mark.parametrize("name", OLDER, ids=repr)
def test_what_was_made_before_is_managed_from_elsewhere(relay: Installation, there: tuple[str, ...], name: str) -> None:
    connector = json.loads(relay(*there, "send-connector", "show", "--json", "--", f"contoso/{name}"))
    assert connector["name"] == f"contoso/{name}"
    relay(*there, "send-connector", "remove", "--", f"contoso/{name}")
    relay(*there, "inbound-connector", "show", "--", "contoso", name)
    relay(*there, "inbound-connector", "set", "--address", "192.0.2.7", "--", "contoso", name)
    relay(*there, "inbound-connector", "remove", "--", "contoso", name)
    relay(*there, "send-connector", "set", "--smart-host", "192.0.2.9", "--", name)
    relay(*there, "send-connector", "remove", "--", name)
    relay(*there, "queue", "list", "--tenant", name, expect=1)
    relay(*there, "tenant", "set", "--contact", "x@contoso.example", "--", name)
    relay(*there, "tenant", "remove", "--yes", "--", name)
    # Nobody else's went along.
    assert {"contoso", "fabrikam"} <= {each["name"] for each in relay.told("tenant", "list")}


def test_an_object_that_is_not_there_is_one_line_whatever_it_is_called(
    relay: Installation, there: tuple[str, ...]
) -> None:
    for name in [*HOSTILE, *OLDER, "a/b", "//", "../../whoami"]:
        relay(*there, "inbound-connector", "show", "--", "fabrikam", name, expect=1)
        relay(*there, "domain", "show", "--", name, expect=1)
    for what in (("queue", "show"), ("why",)):
        done = elsewhere(*there, *what, "--", "../../whoami")
        assert done.returncode in (1, 2) and done.stderr.count("\n") == 1 and "Traceback" not in done.stderr


def _manage(relay: Installation, there: tuple[str, ...], *, tenant: str, name: str) -> None:
    assert json.loads(relay(*there, "inbound-connector", "show", tenant, name, "--json"))["name"] == name
    relay(*there, "inbound-connector", "set", tenant, name, "--address", "192.0.2.7")
    relay(*there, "inbound-connector", "disable", tenant, name)
    relay(*there, "inbound-connector", "remove", tenant, name)
    assert json.loads(relay(*there, "send-connector", "show", name, "--json"))["name"] == name
    relay(*there, "send-connector", "remove", name)
    relay(*there, "tenant", "show", tenant)
    relay(*there, "tenant", "remove", tenant, "--yes")


def _quoted(name: str) -> str:
    return "".join(f"%{octet:02X}" for octet in name.encode())


def _body(path: str) -> dict[str, object]:
    if "inbound" in path:
        return {"addresses": ["192.0.2.1"]}
    return {"address_spaces": [{"space": "*"}]} if "send" in path else {}
