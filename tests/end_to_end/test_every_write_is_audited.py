"""Every route and every command that changes something leaves an entry in the audit: who, and from where.

A route or a command that is new fails here until it has its line below.
"""

import json
import os
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
import typer

from end_to_end.api_client import Api, token_for
from end_to_end.installation import Installation, wait_until
from end_to_end.outside import Outside
from end_to_end.scene import MESSAGE, Certificates
from end_to_end.smtp_client import SmtpClient
from gatepost.api.application import document
from gatepost.cli.main import main_app

ADDRESS = {"addresses": ["192.0.2.1"]}
SPACE = {"address_spaces": [{"space": "x.example"}]}
HELD = {"state": "held"}
PIN = "ab" * 32
KEY = "tenants/contoso/domains/contoso.com/signing-keys/s1"
KEYS = "/v1/tenants/{tenant}/domains/{domain}/signing-keys/{selector}"


@pytest.fixture(scope="module")
def relay(
    tmp_path_factory: pytest.TempPathFactory, certificates: Certificates, outside: Outside
) -> Iterator[Installation]:
    """Its mail stays in the queue: nobody listens where it should go."""
    relay = Installation(
        tmp_path_factory.mktemp("relay"),
        client_roots=certificates.pki.roots_file,
        api=True,
        console=True,
        workers=1,
        tables=f'[dns]\nnameservers = ["{outside.dns.address}"]\n',
    )
    relay.init()
    for tenant in ("contoso", "fabrikam"):
        relay("tenant", "add", tenant)
        relay("domain", "add", tenant, f"{tenant}.com", "--verified")
        relay("inbound-connector", "add", tenant, f"{tenant}-in", "--certificate-name", f"*.{tenant}.com")
    relay("send-connector", "set", "internet", "--smart-host", "127.0.0.1:9")
    with relay.serving():
        yield relay


@dataclass
class Scene:
    relay: Installation
    certificates: Certificates
    outside: Outside

    def newest(self) -> dict[str, Any]:
        entry: dict[str, Any] = self.relay.told("audit", "list", "--limit", "1")[0]
        return entry

    def mail(self) -> None:
        """One message of each tenant, that waits."""
        for tenant, certificate in (("contoso", self.certificates.contoso), ("fabrikam", self.certificates.fabrikam)):
            with SmtpClient(self.relay.port) as smtp:
                smtp.starttls(certificate)
                assert smtp.message(f"a@{tenant}.com", "x@outside.example", MESSAGE).text.startswith("250")

    def publish(self, domain: str) -> None:
        """The TXT record that proves it."""
        value = self.relay.told("domain", "show", domain)["token"]
        self.outside.dns.add(f"_gatepost.{domain}", "TXT", f'"gatepost-verification={value}"')

    def publish_key(self, tenant: str, domain: str) -> None:
        """The TXT record of its signing key."""
        (key,) = self.relay.told("dkim", "show", tenant, domain)
        value = key["record"]["value"]
        self.outside.dns.add(key["record"]["name"], "TXT", " ".join((f'"{value[:250]}"', f'"{value[250:]}"')))

    def prove(self, tenant: str) -> None:
        """A pin that the operator vouches for."""
        line = {"kind": "inbound-connector", "tenant": tenant, "name": "pinned", "certificate_sha256": [PIN]}
        file = self.relay.folder / "proof"
        file.write_text(json.dumps({**line, "proven_pins": [PIN]}) + "\n")
        self.relay("import", "directory", str(file))


@pytest.fixture(scope="module")
def scene(relay: Installation, certificates: Certificates, outside: Outside) -> Scene:
    return Scene(relay=relay, certificates=certificates, outside=outside)


# --- routes -----------------------------------------------------------------------------------------------------------

Do = Callable[[Scene, Api], httpx.Response]


def _call(method: str, path: str, body: object = None) -> Do:
    return lambda scene, api: api.request(method, f"/v1/{path}", json=body)


def _verify(scene: Scene, api: Api) -> httpx.Response:
    scene.publish("new.contoso.com")
    return api.post("/v1/tenants/contoso/domains/new.contoso.com/verification")


def _activate(scene: Scene, api: Api) -> httpx.Response:
    scene.publish_key("contoso", "contoso.com")
    return api.post(f"/v1/{KEY}/activation")


def _take_a_proof_back(scene: Scene, api: Api) -> httpx.Response:
    scene.prove("contoso")
    return api.delete(f"/v1/tenants/contoso/proofs/{PIN}")


def _with_mail(path: str, body: object) -> Do:
    def do(scene: Scene, api: Api) -> httpx.Response:
        scene.mail()
        return api.post(f"/v1/{path}", json=body)

    return do


def _renew(scene: Scene, api: Api) -> httpx.Response:
    with Api(scene.relay, token_for(scene.relay, "--operator", "--scope", "write", "--scope", "renew")) as other:
        return other.post("/v1/whoami/renewal")


ROUTES: dict[str, Do] = {
    "POST /v1/whoami/renewal": _renew,
    "PUT /v1/tenants/{tenant}": _call("PUT", "tenants/litware", {}),
    "PUT /v1/tenants/{tenant}/domains/{domain}": _call("PUT", "tenants/contoso/domains/new.contoso.com", {}),
    "POST /v1/tenants/{tenant}/domains/{domain}/verification": _verify,
    "DELETE /v1/tenants/{tenant}/domains/{domain}/verification": _call(
        "DELETE", "tenants/contoso/domains/new.contoso.com/verification"
    ),
    "DELETE /v1/tenants/{tenant}/domains/{domain}": _call("DELETE", "tenants/contoso/domains/new.contoso.com"),
    f"PUT {KEYS}": _call("PUT", KEY, {}),
    f"POST {KEYS}/activation": _activate,
    f"DELETE {KEYS}/activation": _call("DELETE", f"{KEY}/activation"),
    f"DELETE {KEYS}": _call("DELETE", KEY),
    "PUT /v1/tenants/{tenant}/inbound-connectors/{name}": _call("PUT", "tenants/contoso/inbound-connectors/c", ADDRESS),
    "PATCH /v1/tenants/{tenant}/inbound-connectors/{name}": _call(
        "PATCH", "tenants/contoso/inbound-connectors/c", {"enabled": False}
    ),
    "DELETE /v1/tenants/{tenant}/inbound-connectors/{name}": _call("DELETE", "tenants/contoso/inbound-connectors/c"),
    "PUT /v1/tenants/{tenant}/send-connectors/{name}": _call("PUT", "tenants/contoso/send-connectors/c", SPACE),
    "PATCH /v1/tenants/{tenant}/send-connectors/{name}": _call(
        "PATCH", "tenants/contoso/send-connectors/c", {"enabled": False}
    ),
    "DELETE /v1/tenants/{tenant}/send-connectors/{name}": _call("DELETE", "tenants/contoso/send-connectors/c"),
    "PUT /v1/send-connectors/{name}": _call("PUT", "send-connectors/c", SPACE),
    "PATCH /v1/send-connectors/{name}": _call("PATCH", "send-connectors/c", {"enabled": False}),
    "DELETE /v1/send-connectors/{name}": _call("DELETE", "send-connectors/c"),
    "POST /v1/tenants/{tenant}/rehearsals": _call("POST", "tenants/contoso/rehearsals", {}),
    "POST /v1/tenants/{tenant}/enrolments": _call("POST", "tenants/contoso/enrolments"),
    "DELETE /v1/tenants/{tenant}/proofs/{pin}": _take_a_proof_back,
    "POST /v1/queue/hold": _with_mail("queue/hold", {"all": True}),
    "POST /v1/queue/release": _call("POST", "queue/release", HELD),
    "POST /v1/queue/retry": _call("POST", "queue/retry", {"all": True}),
    "POST /v1/queue/remove": _call("POST", "queue/remove", {"tenant": "contoso"}),
    "POST /v1/queue/bounce": _call("POST", "queue/bounce", {"tenant": "fabrikam"}),
    "POST /v1/tenants/{tenant}/queue/hold": _with_mail("tenants/contoso/queue/hold", {"all": True}),
    "POST /v1/tenants/{tenant}/queue/release": _call("POST", "tenants/contoso/queue/release", HELD),
    "POST /v1/tenants/{tenant}/queue/retry": _call("POST", "tenants/contoso/queue/retry", {"all": True}),
    "POST /v1/tenants/{tenant}/queue/remove": _call("POST", "tenants/contoso/queue/remove", {"all": True}),
    "POST /v1/tenants/{tenant}/queue/bounce": _with_mail("tenants/contoso/queue/bounce", {"all": True}),
    "DELETE /v1/tenants/{tenant}": _call("DELETE", "tenants/litware"),
}
"""In this order."""
QUESTIONS = {"POST /v1/explain", "POST /v1/tenants/{tenant}/explain"}
"""They have a body and change nothing."""


def test_every_route_that_writes_has_its_line() -> None:
    routes = {
        f"{method.upper()} {path}"
        for path, operations in document()["paths"].items()
        for method in operations
        if method != "get"
    }
    assert routes == set(ROUTES) | QUESTIONS


def test_every_route_that_writes_is_audited(scene: Scene, operator: Api) -> None:
    token = operator.get("/v1/whoami").json()["token"]
    for route, do in ROUTES.items():
        before = scene.newest()["version"]

        def done(do: Do = do) -> bool:
            # What is being delivered at this moment cannot be retried.
            return do(scene, operator).is_success

        if route.endswith("/retry"):
            wait_until(done, route)
        else:
            answer = do(scene, operator)
            assert answer.is_success, (route, answer.text)
        entry = scene.newest()
        assert entry["version"] > before, route
        # A token renews itself alone: that is another one.
        assert (entry["who"] == f"token {token}") is not (do is _renew), route
        assert (entry["who"].partition(" ")[0], entry["address"]) == ("token", "127.0.0.1"), route


def test_a_tenant_reads_what_was_done_to_it_and_not_from_where_others_did_it(
    scene: Scene, contoso: Api, fabrikam: Api, operator: Api
) -> None:
    made = contoso.post("/v1/tenants/contoso/rehearsals", json={}).json()
    operator.post("/v1/tenants/contoso/enrolments")
    own = contoso.get("/v1/tenants/contoso/audit").json()["items"]
    assert [(each["subject"].partition(" ")[0], each["address"]) for each in own[:2]] == [
        ("enrolment", None),
        ("rehearsal", "127.0.0.1"),
    ]
    secret = made["address"].partition("@")[0]
    assert secret not in json.dumps(own) and secret not in json.dumps(scene.relay.told("audit", "list"))
    theirs = fabrikam.get("/v1/tenants/fabrikam/audit").json()["items"]
    assert "contoso" not in json.dumps(theirs)


# --- commands ---------------------------------------------------------------------------------------------------------

READS = frozenset(
    """tenant list|tenant show|domain show|domain list|inbound-connector show|inbound-connector list|send-connector show
    |send-connector list|explain|why|queue list|queue show|queue orders|protocol-log show|protocol-log follow|probe
    |proof list|doctor|token list|forecast|export exchange-online|export directory|audit list|audit show|bench load
    |dkim list|dkim show|dkim check|tls-policy|alarm list
    |help cause|help reason|help settings|trace show|status|person list|person activity
    """.replace("\n", "")
    .replace("    ", "")
    .split("|")
)
ELSEWHERE = {
    "init": "before there is an audit",
    "serve": "a process",
    "demo": "a directory of its own",
    "alarm test": "tells receivers, and changes nothing",
    **dict.fromkeys(
        ("hybrid plan", "hybrid verify", "hybrid certificates", "hybrid exchange"), "reads, and writes files of its own"
    ),
    **dict.fromkeys(("hybrid apply", "hybrid undo", "hybrid rehearse"), "at the relay, by the routes above"),
}
CHANGES: dict[str, tuple[str, ...]] = {
    "tenant add": ("litware",),
    "tenant set": ("litware", "--contact", "x@contoso.com"),
    "domain add": ("litware", "litware.com"),
    "domain verify": ("litware.com",),
    "domain set": ("litware.com", "--match-subdomains"),
    "dkim add": ("litware", "litware.com", "--algorithm", "ed25519"),
    "dkim activate": ("litware", "litware.com"),
    "dkim retire": ("litware", "litware.com"),
    "dkim remove": ("litware", "litware.com", "--selector", f"gp{datetime.now(UTC):%Y%m}"),
    "inbound-connector add": ("litware", "c", "--address", "192.0.2.1"),
    "inbound-connector set": ("litware", "c", "--address", "192.0.2.2"),
    "inbound-connector disable": ("litware", "c"),
    "inbound-connector enable": ("litware", "c"),
    "inbound-connector remove": ("litware", "c"),
    "send-connector add": ("c", "--address-space", "x.example"),
    "send-connector set": ("c", "--smart-host", "192.0.2.1"),
    "send-connector disable": ("c",),
    "send-connector enable": ("c",),
    "send-connector remove": ("c",),
    "enroll": ("litware",),
    "proof remove": ("litware", PIN),
    "domain remove": ("litware.com",),
    "token add": ("--tenant", "litware", "--out", "litware.token"),
    "token revoke": (),
    "person add": ("kim", "--tenant", "litware"),
    "person link": ("kim",),
    "person disable": ("kim",),
    "person enable": ("kim",),
    "person sign-out": ("kim",),
    "person remove": ("kim",),
    "queue hold": ("--all",),
    "queue release": ("--state", "held"),
    "queue retry": ("--all",),
    "queue bounce": ("--tenant", "fabrikam"),
    "queue remove": ("--tenant", "contoso", "--yes"),
    "import directory": ("lines",),
    "import exchange-online": ("exports", "--tenant", "litware", "--apply"),
    "tenant remove": ("litware", "--yes"),
}
"""In this order."""


def _commands(command: Any, name: tuple[str, ...] = ()) -> Iterator[str]:
    if not hasattr(command, "list_commands"):
        yield " ".join(name)
        return
    context = typer.Context(command)
    for each in command.list_commands(context):
        yield from _commands(command.get_command(context, each), (*name, each))


def test_every_command_has_its_line() -> None:
    known = [*READS, *ELSEWHERE, *CHANGES]
    assert sorted(known) == sorted(_commands(typer.main.get_command(main_app)))


def test_every_command_that_writes_is_audited(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    relay = scene.relay
    monkeypatch.setenv("SUDO_USER", "ann")
    monkeypatch.chdir(relay.folder)
    (relay.folder / "lines").write_text('{"kind": "tenant", "name": "imported"}\n')
    (relay.folder / "exports").mkdir()
    exported = [{"DomainName": "litware.net", "DomainType": "Authoritative", "Name": "litware.net"}]
    (relay.folder / "exports" / "Get-AcceptedDomain.json").write_text(json.dumps(exported))
    for command, arguments in CHANGES.items():
        if command == "domain verify":
            scene.publish("litware.com")
        if command == "dkim activate":
            scene.publish_key("litware", "litware.com")
        if command == "queue hold":
            scene.mail()
        if command == "proof remove":
            scene.prove("litware")
        if command == "token revoke":
            arguments = ((relay.folder / "litware.token").read_text().split("_")[1],)
        before = scene.newest()["version"]

        def done(command: str = command, arguments: tuple[str, ...] = arguments) -> bool:
            return relay.here(*command.split(), *arguments).returncode == 0

        if command == "queue retry":
            wait_until(done, command)
        else:
            relay(*command.split(), *arguments)
        entry = scene.newest()
        assert entry["version"] > before, command
        assert (entry["who"], entry["address"]) == ("ann", None), command


def test_a_reload_is_audited(scene: Scene) -> None:
    assert scene.relay.process is not None
    before = scene.newest()["version"]
    os.kill(scene.relay.process.pid, signal.SIGHUP)
    wait_until(lambda: scene.newest()["version"] > before, "the reload to be in the audit")
    entry = scene.newest()
    assert (entry["who"], entry["action"], entry["subject"]) == ("SIGHUP", "reload", "server")
