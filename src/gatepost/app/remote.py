"""A relay elsewhere, managed from here: what the commands ask, put to its Management API.

Laws: what is asked is checked here as it is there, in the same words; a change is made only to what was read a moment
before; silence and a refused token are one line that says what to do.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from shlex import quote as shell_quote
from typing import Any, TypeVar
from urllib.parse import quote

from gatepost.admin.directory.operation import NEW, Operation
from gatepost.admin.forecast.forecast import ForecastItem, forecast_item_from
from gatepost.admin.queue.records import overview_from, shown_from
from gatepost.admin.queue.waiting_mail import MessageView, Overview
from gatepost.admin.sessions.why import SessionNotFound
from gatepost.admin.trace.choice import Words, said_as
from gatepost.admin.trace.tracing import MOST_ON_A_PAGE, Page
from gatepost.errors import AlreadyExists, BadRequest, NotFound, refused_with
from gatepost.hybrid.errors import UnusableFile
from gatepost.hybrid.relay_token import read_token
from gatepost.net.api_client import ApiAnswer, ApiClient, ApiRefused, ApiUnreachable
from gatepost.queue.orders import APPLIES_TO, Action, Order
from gatepost.queue.store import QueueFilter, StoreUnavailable

T = TypeVar("T")


@contextmanager
def remote_relay(
    url: str, token_file: Path | None, authority: Path | None, *, beyond_limits: bool = False
) -> "Iterator[RemoteRelay]":
    """Raises `Refused`, `StoreError`."""
    relay = _opened(url, token_file, authority, beyond_limits=beyond_limits)
    try:
        yield relay
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        # Another version's object, or a hostile one's.
        raise StoreUnavailable(
            f"the answer of {url} cannot be read ({type(error).__name__}: {error}): is that a relay of this version?"
        ) from error
    finally:
        relay.close()


@contextmanager
def remote_queue(url: str, token_file: Path | None, authority: Path | None) -> "Iterator[RemoteQueue]":
    """Raises `Refused`, `StoreError`."""
    with remote_relay(url, token_file, authority) as relay:
        yield RemoteQueue(relay)


@contextmanager
def remote_sessions(url: str, token_file: Path | None, authority: Path | None) -> "Iterator[RemoteSessions]":
    """Raises `Refused`, `StoreError`."""
    with remote_relay(url, token_file, authority) as relay:
        yield RemoteSessions(relay)


@contextmanager
def remote_trace(url: str, token_file: Path | None, authority: Path | None) -> "Iterator[RemoteTrace]":
    """Raises `Refused`, `StoreError`."""
    with remote_relay(url, token_file, authority) as relay:
        yield RemoteTrace(relay)


def remote_forecast(
    url: str, token_file: Path | None, authority: Path | None, tenant: str | None
) -> list[ForecastItem]:
    """Of a tenant, of the token's own, or of all. Raises `Refused`, `StoreError`."""
    with remote_relay(url, token_file, authority) as relay:
        return [forecast_item_from(each) for each in relay.read(relay.part("forecast", tenant))["prospects"]]


def remote_enrolment(
    url: str, token_file: Path | None, authority: Path | None, tenant: str, *, make: bool
) -> Mapping[str, Any]:
    """A new one, or the newest: one that something came for, if there is one. Raises `Refused`, `StoreError`."""
    with remote_relay(url, token_file, authority) as relay:
        path = relay.part("enrolments", tenant)
        if make:
            made: Mapping[str, Any] = relay.ask("POST", path).body
            return made
        found: list[Mapping[str, Any]] = relay.read(path)["items"]
        if not found:
            raise NotFound(
                f"tenant {tenant} has no enrolment yet",
                next_step=f"make one with: gatepost enroll {shell_quote(tenant)}",
            )
        return next((each for each in found if each["seen"]), found[0])


def remote_explanation(
    url: str, token_file: Path | None, authority: Path | None, body: Mapping[str, Any]
) -> Mapping[str, Any]:
    """As `admin.sessions.explain.explanation` makes it. Raises `Refused`, `StoreError`."""
    with remote_relay(url, token_file, authority) as relay:
        found: Mapping[str, Any] = relay.ask("POST", relay.part("explain"), body).body
        return found


def _opened(url: str, token_file: Path | None, authority: Path | None, *, beyond_limits: bool) -> "RemoteRelay":
    if token_file is None:
        raise BadRequest(
            "--server needs --token-file FILE: a token of that relay, as gatepost token add --out wrote it"
        )
    if not url.startswith("https://"):
        raise BadRequest(f"--server {url}: write it as https://HOST:PORT, as [api] in the relay's gatepost.toml has it")
    try:
        token = read_token(token_file)
    except UnusableFile as error:
        raise BadRequest(str(error)) from None
    try:
        return RemoteRelay(ApiClient(url, token, authority, option="--ca"), beyond_limits=beyond_limits)
    except ApiUnreachable as error:
        raise StoreUnavailable(str(error)) from None


class RemoteRelay:
    """`admin.directory.operation.Relay`: the API, with its refusals as use cases have them."""

    def __init__(self, client: ApiClient, *, beyond_limits: bool = False) -> None:
        self._client = client
        self.beyond_limits = beyond_limits

    def do(self, operation: Operation[T], **asked: Any) -> T:
        return operation.there(self, **asked)

    def close(self) -> None:
        self._client.close()

    def ask(
        self, method: str, path: str, body: Mapping[str, Any] | None = None, headers: Mapping[str, str] | None = None
    ) -> ApiAnswer:
        try:
            return self._client.request(method, path, body, headers)
        except ApiUnreachable as error:
            raise StoreUnavailable(str(error)) from None
        except ApiRefused as error:
            if error.code == "precondition-failed" and headers == NEW:
                raise AlreadyExists(error.says, next_step=error.do or "") from None
            raise refused_with(error.code, error.says, field=error.field, next_step=error.do) from None

    def read(self, path: str) -> Any:
        return self.ask("GET", path).body

    def every(self, path: str, **query: object) -> Iterator[Any]:
        """The items of all pages."""
        cursor = None
        opened = set()
        while True:
            page = self.read(path + _query(**query, limit=500, cursor=cursor))
            yield from page["items"]
            cursor = page["next"]
            if cursor is None:
                return
            if cursor in opened:
                raise StoreUnavailable(f"{path}: the pages of the relay's answer have no end")
            opened.add(cursor)

    @cached_property
    def tenant(self) -> str | None:
        """Whose the token is; None: the operator's."""
        tenant: str | None = self.who["tenant"]
        return tenant

    @cached_property
    def who(self) -> Any:
        return self.read("/v1/whoami")

    def part(self, name: str, tenant: str | None = None) -> str:
        """The path of one part of the relay, of a tenant's where it is one's that is asked for or asks."""
        owner = tenant or self.tenant
        return f"{_tenant(owner)}/{name}" if owner else f"/v1/{name}"


class RemoteQueue:
    """`admin.queue.commands.QueueCommands` of a relay elsewhere."""

    def __init__(self, relay: RemoteRelay) -> None:
        self._relay = relay

    def unreadable(self) -> Sequence[str]:
        return ()

    def overview(self, wanted: QueueFilter, limit: int) -> Overview:
        part = self._relay.part("queue", wanted.tenant)
        query = _query(
            message_id=wanted.message_id,
            domain=wanted.domain,
            state=wanted.state,
            older_than=_seconds(wanted),
            sender=_sender(wanted),
            limit=min(limit, 500),
        )
        return overview_from(self._relay.read(part + query))

    def shown(self, message_id: str) -> MessageView:
        return shown_from(self._relay.read(f"{self._relay.part('queue')}/messages/{_part(message_id)}"))

    def affected(self, action: Action, wanted: QueueFilter) -> int:
        counts = self.overview(wanted, 0).counts
        return sum(count.recipients for count in counts if count.state in APPLIES_TO[action])

    def carry_out(self, action: Action, wanted: QueueFilter) -> int:
        said = {
            "message_id": wanted.message_id,
            "domain": wanted.domain,
            "state": wanted.state,
            "older_than": _seconds(wanted),
            "sender": _sender(wanted),
        }
        body = {**said, "all": all(each is None for each in said.values())}
        path = f"{self._relay.part('queue', wanted.tenant)}/{action}"
        changed: int = self._relay.ask("POST", path, body).body["recipients"]
        return changed

    def orders(self, limit: int) -> Sequence[tuple[str, Order]]:
        raise BadRequest("orders can be listed on the relay itself only: gatepost queue orders")


@dataclass(frozen=True, slots=True, kw_only=True)
class NotFoundThere(SessionNotFound):
    """The relay has no such session, or none of ours."""

    says: str

    def __str__(self) -> str:
        return self.says


class RemoteTrace:
    """`admin.trace.tracing.Traces` of a relay elsewhere."""

    def __init__(self, relay: RemoteRelay) -> None:
        self._relay = relay

    def search(self, words: Words, limit: int, cursor: str | None = None) -> Page:
        query = {said_as(name): text for name, text in asdict(words).items()}
        found = self._relay.read("/v1/trace" + _query(**query, limit=min(limit, MOST_ON_A_PAGE), cursor=cursor))
        return Page(found["items"], found["next"], found["problems"])

    def story(self, text: str) -> dict[str, Any]:
        found: dict[str, Any] = self._relay.read(f"/v1/trace/{_part(text)}")
        return found


class RemoteSessions:
    def __init__(self, relay: RemoteRelay) -> None:
        self._relay = relay

    def why(self, session_id: str) -> dict[str, Any] | SessionNotFound:
        try:
            found: dict[str, Any] = self._relay.read(f"/v1/sessions/{_part(session_id)}")
            return found
        except NotFound as error:
            return NotFoundThere(session_id=session_id, what="session records", oldest=None, says=str(error))


def _seconds(wanted: QueueFilter) -> str | None:
    return None if wanted.older_than_s is None else f"{wanted.older_than_s:f}s"


def _sender(wanted: QueueFilter) -> str | None:
    return "<>" if wanted.sender == "" else wanted.sender


def _query(**values: object) -> str:
    said = [f"{name}={quote(str(value), safe='')}" for name, value in values.items() if value is not None]
    return "?" + "&".join(said) if said else ""


def _tenant(name: str) -> str:
    return f"/v1/tenants/{_part(name)}"


def _part(text: str) -> str:
    return quote(text, safe="")
