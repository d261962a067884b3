"""The edge notices a renewed certificate file of the connector that the wizard set up, and has it rehearsed; the token
that this needs is renewed in time.

The looking is here, in worker 0: two `stat` every few seconds. The rehearsal, with all it needs, is a process of its
own, so that sessions never wait for it. Law: until a rehearsal has passed, workers go on presenting the certificate
that passed the last one.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from gatepost.hybrid.errors import UnusableFile, UnusablePlan
from gatepost.hybrid.installation import Installation
from gatepost.hybrid.relay_token import noted_token

_LOOK_EVERY_S = 2.0
_TRY_AGAIN_S = 60.0
"""While a renewed certificate is not accepted: the relay, or the file, may have been mended."""
_TIDY_EVERY_S = 6 * 3600.0
_TOKEN_AGAIN_S = 3600.0

_REFUSED = frozenset(("refused", "presented-unproven"))


class Events(Protocol):
    def emit(self, event: str, /, **fields: object) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class RenewalAlarm:
    """A renewed certificate is not presented, and a person is needed."""

    code: str
    sha256: str
    title: str
    says: str
    do: str


class RenewalWatch:
    def __init__(
        self,
        here: Installation,
        look: Callable[[], Awaitable[Mapping[str, Any]]],
        events: Events,
        alarm: Callable[[RenewalAlarm], None],
        *,
        follow: bool,
    ) -> None:
        """`look` has the certificate rehearsed, and says what `hybrid.renewal.look` says."""
        self._here = here
        self._look = look
        self._events = events
        self._raise = alarm
        self._follow = follow
        self._settled: tuple[str, str, object] | None = None
        """Paths and state of the files that are presented as they are."""
        self._reported: tuple[str, str] | None = None
        self._again_at = self._token_again_at = 0.0
        self._tidy_at = here.ports.clock.elapsed() + _TIDY_EVERY_S

    async def run(self) -> None:
        while True:
            await asyncio.sleep(_LOOK_EVERY_S)
            await self.look()

    async def look(self) -> None:
        """At the files, and if they are new, at what the relay makes of them."""
        try:
            if self._something_to_do():
                await self._have_it_rehearsed()
        except (OSError, UnusablePlan) as error:
            self._warn("not-rehearsed", {"problem": f"the renewal watch: {error}"})

    def _something_to_do(self) -> bool:
        pair = self._pair()
        return pair is not None and (self._certificate_is_new(pair) or self._token_is_due())

    def _token_is_due(self) -> bool:
        clock = self._here.ports.clock
        if clock.elapsed() < self._token_again_at:
            return False
        noted = noted_token(self._here.folder)
        return noted is not None and noted.is_due(clock.now())

    def _certificate_is_new(self, pair: tuple[str, str]) -> bool:
        now = self._here.ports.clock.elapsed()
        certificates = self._here.ports.certificates
        state = (*pair, tuple(map(certificates.state, pair)))
        if state == self._settled:
            return self._follow and now >= self._tidy_at
        if self._is_presented(*pair):
            self._settled, self._reported = state, None
            return False
        return now >= self._again_at

    def _pair(self) -> tuple[str, str] | None:
        """The files the wizard answers for."""
        last = self._here.memory.last_finished()
        if last is None or last.plan.request["postfix"]:
            return None
        return last.plan.request["certificate"], last.plan.request["key"]

    def _is_presented(self, certificate: str, key: str) -> bool:
        try:
            return self._here.presented.is_in_use(certificate, key)
        except UnusableFile:
            return False

    async def _have_it_rehearsed(self) -> None:
        now = self._here.ports.clock.elapsed()
        self._again_at, self._tidy_at = now + _TRY_AGAIN_S, now + _TIDY_EVERY_S
        self._token_again_at = now + _TOKEN_AGAIN_S
        found = dict(await self._look())
        self._tell_of_token(found.pop("token_renewed", None), found.pop("token_problem", None))
        outcome = found.pop("outcome")
        if outcome == "presented":
            self._events.emit(
                "renewal-rehearsed", names=found["names"], sha256=found["sha256"], changed=found.get("changed")
            )
        elif outcome != "unchanged":
            self._warn(outcome, found)

    def _tell_of_token(self, renewed: str | None, problem: str | None) -> None:
        if renewed:
            self._events.emit("token-renewed", until=renewed)
        elif problem:
            self._events.emit("token-not-renewed", problem=problem)

    def _warn(self, outcome: str, found: Mapping[str, Any]) -> None:
        """Once for each thing that is wrong; it is tried again all the same."""
        problem = str(found.get("problem"))
        if self._reported == (outcome, problem):
            return
        self._reported = (outcome, problem)
        if outcome in _REFUSED:
            self._events.emit("renewal-refused", problem=problem, do=found.get("do"), names=found.get("names"))
        else:
            self._events.emit("renewal-not-rehearsed", problem=problem)
        self._raise(
            RenewalAlarm(
                code="renewal-refused" if outcome in _REFUSED else "renewal-not-rehearsed",
                sha256=str(found.get("sha256", "")),
                title=f"the renewed certificate of {self._here.hostname} is not presented",
                says=f"A renewed certificate of this edge did not pass its rehearsal: {problem}.",
                do=str(found.get("do") or "gatepost hybrid verify"),
            )
        )
