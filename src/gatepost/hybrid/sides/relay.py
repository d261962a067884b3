"""The relay's side, over its management interface: a tenant's accepted domains and inbound connectors.

Laws: every write says which state it replaces (`If-Match`), so that two administrators never overwrite one another
unseen; waiting for DNS is bounded, tells what it waits for, and can be gone on with later.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from gatepost.hybrid.apply import same
from gatepost.hybrid.desire import DOMAIN, INBOUND, fresh_inbound, kind_and_name
from gatepost.hybrid.errors import NotChanged, RelayRefused
from gatepost.hybrid.merge import Fields
from gatepost.hybrid.plan import Change, Objects
from gatepost.hybrid.ports import Clock, RelayApi

_DOMAIN_FIELDS = ("match_subdomains", "verified")
_INBOUND_FIELDS = tuple(fresh_inbound())
_PATHS = {DOMAIN: "domains", INBOUND: "inbound-connectors"}
_LOOK_EVERY_S = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """What is waited for: told each time it was looked for in vain."""

    record_name: str
    record_value: str
    says: str
    """What DNS shows now."""
    left_s: float


class RelaySide:
    def __init__(
        self,
        api: RelayApi,
        tenant: str,
        clock: Clock,
        *,
        wait_s: float = 0.0,
        waiting: Callable[[Waiting], None] = lambda _: None,
    ) -> None:
        self._api = api
        self._tenant = tenant
        self._clock = clock
        self._wait_s = wait_s
        self._waiting = waiting

    def everything(self) -> dict[str, Fields]:
        found: dict[str, Fields] = {}
        for kind, path in _PATHS.items():
            for body in self._items(path):
                found[f"{kind} {body['domain' if kind == DOMAIN else 'name']}"] = _fields(kind, body)
        return found

    def read(self, names: Iterable[str]) -> Objects:
        return {name: self._read(name)[0] for name in names}

    def write(self, change: Change) -> None:
        kind, _ = kind_and_name(change.object)
        if kind == DOMAIN and change.before is not None and change.after is not None:
            self._write_domain(change, change.before, change.after)
        elif change.after is None:
            self._api.request("DELETE", self._path(change.object), headers=self._unchanged(change))
        else:
            body = {field: value for field, value in change.after.items() if field != "verified"}
            self._api.request("PUT", self._path(change.object), body, headers=self._unchanged(change))

    def _write_domain(self, change: Change, before: Fields, after: Fields) -> None:
        if before["match_subdomains"] != after["match_subdomains"]:
            body = {"match_subdomains": after["match_subdomains"]}
            self._api.request("PUT", self._path(change.object), body, headers=self._unchanged(change))
        if after["verified"] and not before["verified"]:
            self._verify(change.object)
        elif before["verified"] and not after["verified"]:
            self._api.request("DELETE", f"{self._path(change.object)}/verification")

    def _verify(self, name: str) -> None:
        """Until DNS shows the record, or the time is over."""
        deadline = self._clock.elapsed() + self._wait_s
        while True:
            try:
                self._api.request("POST", f"{self._path(name)}/verification")
                return
            except RelayRefused as error:
                if error.code not in ("domain-not-verified", "too-many-requests"):
                    raise
                says = str(error)
            body = self._api.request("GET", self._path(name)).body
            if body["verified"]:
                return
            record, left = body["record"], deadline - self._clock.elapsed()
            if left <= 0:
                raise NotChanged(
                    f'{body["domain"]} is not verified yet: publish {record["name"]} TXT "{record["value"]}", then go '
                    "on with the same gatepost hybrid apply; nothing that was done is done twice"
                )
            self._waiting(Waiting(record_name=record["name"], record_value=record["value"], says=says, left_s=left))
            self._clock.sleep(min(_LOOK_EVERY_S, left))

    def _unchanged(self, change: Change) -> dict[str, str]:
        """The condition under which `change` may be written."""
        now, etag = self._read(change.object)
        if not same(now, change.before):
            raise NotChanged(
                f"{change.object} at the relay was changed by somebody else just now; look at what they did, then "
                "make a new plan: gatepost hybrid plan"
            )
        return {"If-Match": etag} if etag else {"If-None-Match": "*"}

    def _read(self, name: str) -> tuple[Fields | None, str | None]:
        try:
            answer = self._api.request("GET", self._path(name))
        except RelayRefused as error:
            if error.status == 404:
                return None, None
            raise
        return _fields(kind_and_name(name)[0], answer.body), answer.etag

    def _items(self, path: str) -> Iterator[Any]:
        query: dict[str, str] = {"limit": "500"}
        while True:
            body = self._api.request("GET", f"{self._base}/{path}?{urlencode(query)}").body
            yield from body["items"]
            if not body.get("next"):
                return
            query["cursor"] = body["next"]

    @property
    def _base(self) -> str:
        return f"/v1/tenants/{quote(self._tenant, safe='')}"

    def _path(self, name: str) -> str:
        kind, rest = kind_and_name(name)
        return f"{self._base}/{_PATHS[kind]}/{quote(rest, safe='')}"


def _fields(kind: str, body: Mapping[str, Any]) -> Fields:
    return {field: body[field] for field in (_DOMAIN_FIELDS if kind == DOMAIN else _INBOUND_FIELDS)}


def refusal_text(url: str, token_file: Path, status: int, code: str, says: str, do: str | None) -> str:
    """The relay's "no", as one line with a next step."""
    if status == 401:
        return (
            f"{url} does not accept the token in {token_file} ({code}): ask the relay's operator for a new one: "
            "gatepost token add --tenant T --out FILE"
        )
    if status == 412:
        return (
            f"somebody else changed this at the relay at the same moment ({says}); look at what they did, then make a "
            "new plan: gatepost hybrid plan"
        )
    return f"the relay says: {says}" + (f"; {do}" if do else "")
