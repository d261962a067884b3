"""The wizard's ports in memory where the real part is elsewhere: the relay, the clock, the session. Certificates,
directory and files are real."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from gatepost.app import open_editor
from gatepost.app.hybrid import certificate_files
from gatepost.app.setup import initialise
from gatepost.config import read
from gatepost.hybrid import setup
from gatepost.hybrid.errors import ApplyError, RelayRefused
from gatepost.hybrid.installation import Installation
from gatepost.hybrid.plan import Change, Plan
from gatepost.hybrid.ports import Credentials, Done, Ports, ProbedSession
from gatepost.hybrid.rehearsal import Rehearsal
from gatepost.hybrid.relay_token import note_token
from gatepost.hybrid.request import SetupRequest
from gatepost.hybrid.sides.relay import Waiting
from gatepost.tenancy.tenant import SmartHost
from pki import Issued

TENANT = "/v1/tenants/contoso"


class MovableClock:
    """It stands, unless somebody sleeps."""

    def __init__(self) -> None:
        self.at = datetime.now(UTC)
        self.slept: list[float] = []

    def now(self) -> datetime:
        return self.at

    def elapsed(self) -> float:
        return self.at.timestamp()

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.at += timedelta(seconds=seconds)


@dataclass
class Reply:
    status: int
    body: Any
    etag: str | None = None


@dataclass
class MemoryRelay:
    """A relay's management interface for tenant contoso, as far as the wizard uses it."""

    objects: dict[str, dict[str, Any]] = field(default_factory=dict)
    """By path below the tenant."""
    requests: list[tuple[str, str, Mapping[str, str]]] = field(default_factory=list)
    verified_after: int = 0
    """So many attempts to verify find nothing in DNS."""
    verdict: str = "relay"
    created_at: str | None = None
    expires_at: str | None = None
    renewed_life: tuple[str | None, str | None] = (None, None)
    """What a renewal sets these two to."""
    scopes: tuple[str, ...] = ("read", "write")
    tenant: str | None = "contoso"
    seen_chain: tuple[str, ...] = ()
    before_write: Callable[[], None] = lambda: None
    unreachable: bool = False

    def request(
        self, method: str, path: str, body: Mapping[str, Any] | None = None, headers: Mapping[str, str] | None = None
    ) -> Reply:
        if self.unreachable:
            raise ApplyError("the relay does not answer")
        url = urlsplit(path)
        self.requests.append((method, url.path, dict(headers or {})))
        if url.path == "/v1/whoami/renewal":
            if "renew" not in self.scopes:
                raise RelayRefused("this token may not renew itself", 403, "scope-missing")
            self.created_at, self.expires_at = self.renewed_life
        if url.path.startswith("/v1/whoami"):
            who = {"token": "t1", "tenant": self.tenant, "scopes": self.scopes}
            return Reply(200, {**who, "created_at": self.created_at, "expires_at": self.expires_at})
        name = url.path.removeprefix(f"{TENANT}/")
        if name.startswith("rehearsals"):
            return self._rehearsal(method)
        if name.endswith("/verification"):
            return self._verification(method, name.removesuffix("/verification"))
        if name in ("domains", "inbound-connectors"):
            return Reply(200, {"items": [self._shown(each) for each in self.objects if each.startswith(f"{name}/")]})
        if method == "GET":
            if name not in self.objects:
                raise RelayRefused("there is none", 404, "not-found")
            return Reply(200, self._shown(name), self._etag(name))
        return self._write(method, name, dict(body or {}), headers or {})

    def close(self) -> None: ...

    def _write(self, method: str, name: str, body: dict[str, Any], headers: Mapping[str, str]) -> Reply:
        self.before_write()
        condition = headers.get("If-Match")
        if condition != (self._etag(name) if name in self.objects else None):
            raise RelayRefused("it changed", 412, "changed")
        if method == "DELETE":
            del self.objects[name]
            return Reply(204, None)
        fresh = {"verified": False} if name.startswith("domains/") else {}
        self.objects[name] = {**fresh, **self.objects.get(name, {}), **body}
        return Reply(200, self._shown(name), self._etag(name))

    def _verification(self, method: str, name: str) -> Reply:
        if method == "POST" and self.verified_after > 0:
            self.verified_after -= 1
            raise RelayRefused("no TXT record", 409, "domain-not-verified")
        self.objects[name]["verified"] = method == "POST"
        return Reply(200, self._shown(name))

    def _rehearsal(self, method: str) -> Reply:
        if method == "POST":
            return Reply(201, {"id": "r1", "address": "r1@rehearsal.invalid"})
        verdict = {"outcome": self.verdict, "mail_from": "postmaster@contoso.com", "reply": "550 5.7.64", "reasons": []}
        chain = [{"sha256": each} for each in self.seen_chain]
        seen = {"ehlo": None, "tls": {"certificate": {"chain": chain, "names": ["other.example"], "subject": ""}}}
        return Reply(200, {"state": "seen", "seen": seen, "verdicts": [verdict]})

    def _shown(self, name: str) -> dict[str, Any]:
        kind, _, rest = name.partition("/")
        record = {"name": "_gatepost.contoso.com", "value": "token=1"}
        return {("domain" if kind == "domains" else "name"): rest, "record": record, **self.objects[name]}

    def _etag(self, name: str) -> str:
        return f'"{hash(str(sorted(self.objects[name].items())))}"'


@dataclass
class Scene:
    """An edge that is set up to send to the relay, but for the apply."""

    folder: Path
    clock: MovableClock = field(default_factory=MovableClock)
    relay: MemoryRelay = field(default_factory=MemoryRelay)
    sessions: list[str] = field(default_factory=list)
    """The SHA-256 of each certificate that was presented."""
    pki: Any = None

    def __post_init__(self) -> None:
        initialise(self.folder / "gatepost.toml", self.folder / "data", "edge.contoso.com", None)
        self.config = read(self.folder / "gatepost.toml")
        self.here = Installation(
            hostname="edge.contoso.com",
            folder=self.config.data / "hybrid",
            ports=Ports(
                relay=lambda _: self.relay,
                directory=lambda: open_editor(self.config),
                certificates=certificate_files(self.config),
                probe=self._probe,
                run=self._run,
                clock=self.clock,
            ),
        )

    def _probe(
        self,
        host: SmartHost,
        credentials: Credentials | None,
        files: tuple[Path, Path] | None,
        rcpt_to: str,
        source_address: str | None,
    ) -> ProbedSession:
        self.relay.seen_chain = tuple(each.sha256 for each in credentials.chain) if credentials else ()
        self.sessions += self.relay.seen_chain[:1]
        return ProbedSession(
            reached=True, starttls=True, ehlo=None, replies_to_rcpt=("550 rehearsal-seen",), problems=()
        )

    def _run(self, *command: str) -> Done:
        raise AssertionError(command)

    def install(self, issued: Issued) -> None:
        (self.folder / "mail.pem").write_bytes(issued.chain_file.read_bytes())
        (self.folder / "mail.key").write_bytes(issued.key_file.read_bytes())
        (self.folder / "mail.key").chmod(0o600)

    def token_lives(self, days: int, ago: int) -> None:
        """It was made for so many days, so many days ago, and may renew itself; the wizard has asked since."""

        def life(began: datetime) -> tuple[str, str]:
            return began.isoformat(), (began + timedelta(days=days)).isoformat()

        self.relay.scopes = ("read", "write", "renew")
        self.relay.created_at, self.relay.expires_at = life(self.clock.at - timedelta(days=ago))
        self.relay.renewed_life = life(self.clock.at)
        note_token(self.here.folder, self.relay.request("GET", "/v1/whoami").body)

    @property
    def request(self) -> SetupRequest:
        return SetupRequest(
            relay="https://relay.example.net:8443",
            token_file=self.folder / "token",
            smart_host=SmartHost(host="relay.example.net", port=25),
            domains=("contoso.com",),
            certificate=self.folder / "mail.pem",
            key=self.folder / "mail.key",
        )


class Quiet:
    def __init__(self) -> None:
        self.steps: list[str] = []
        self.rehearsals: list[Rehearsal] = []

    def step(self, change: Change, what: str) -> None:
        self.steps.append(what)

    def waiting(self, waiting: Waiting) -> None: ...

    def rehearsed(self, found: Rehearsal) -> None:
        self.rehearsals.append(found)


def applied(scene: Scene) -> Plan:
    plan = setup.plan(scene.here, scene.request)
    assert setup.apply_plan(scene.here, plan, Quiet(), wait_s=0)
    return plan


def presented(scene: Scene) -> tuple[str, ...]:
    found = scene.here.presented.of(*scene.request.pair)
    return found.leaf.names if found else ()
