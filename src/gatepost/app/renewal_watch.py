"""The edge notices a renewed certificate file of the connector that the wizard set up, and has it rehearsed.

The looking is here, in worker 0: two `stat` every few seconds. The rehearsal, with all it needs, is a process of its
own (`app.renewal`), so that sessions never wait for it. Law: until a rehearsal has passed, workers go on presenting the
certificate that passed the last one.
"""

import asyncio
import json
import sys
import time
from pathlib import Path
from typing import Any

from gatepost.app.alarms import Alarm, Alarms
from gatepost.app.in_use import presented_now
from gatepost.config import Config
from gatepost.hybrid.journal import Memory
from gatepost.hybrid.plan import UnusablePlan
from gatepost.logs.event_log import EventLog
from gatepost.net.certificates import CredentialError
from gatepost.net.credentials import load_credentials
from gatepost.net.files import FileSignature, signature

_LOOK_EVERY_S = 2.0
_TRY_AGAIN_S = 60.0
"""While a renewed certificate is not accepted: the relay, or the file, may have been mended."""
_TIDY_EVERY_S = 6 * 3600.0
_LONGEST_S = 180.0

_REFUSED = frozenset(("refused", "presented-unproven"))

_Files = tuple[FileSignature | None, FileSignature | None]


class RenewalWatch:
    def __init__(self, config: Config, events: EventLog, alarms: Alarms) -> None:
        self._config = config
        self._alarms = alarms
        self._events = events
        self._memory = Memory(config.data / "hybrid")
        self._settled: tuple[str, str, _Files] | None = None
        """Paths and state of the files that are presented as they are."""
        self._told: tuple[str, str] | None = None
        self._again_at = 0.0
        self._tidy_at = time.monotonic() + _TIDY_EVERY_S

    async def run(self) -> None:
        while True:
            await asyncio.sleep(_LOOK_EVERY_S)
            try:
                if self._something_to_do():
                    await self._have_it_rehearsed()
            except (OSError, UnusablePlan) as error:
                self._alarm("not-rehearsed", {"problem": f"the renewal watch: {error}"})

    def _something_to_do(self) -> bool:
        pair = self._pair()
        now = time.monotonic()
        if pair is None:
            return False
        state = (*pair, (signature(pair[0]), signature(pair[1])))
        if state == self._settled:
            return self._config.hybrid.follow and now >= self._tidy_at
        if self._is_presented(*pair):
            self._settled, self._told = state, None
            return False
        return now >= self._again_at

    def _pair(self) -> tuple[str, str] | None:
        """The files the wizard answers for."""
        last = self._memory.last_finished()
        if last is None or last.plan.wish["postfix"]:
            return None
        return last.plan.wish["certificate"], last.plan.wish["key"]

    def _is_presented(self, certificate: str, key: str) -> bool:
        shown = presented_now(self._config, certificate, key)
        try:
            return shown is not None and shown.leaf.sha256 == load_credentials(certificate, key).leaf.sha256
        except CredentialError:
            return False

    async def _have_it_rehearsed(self) -> None:
        self._again_at = time.monotonic() + _TRY_AGAIN_S
        self._tidy_at = time.monotonic() + _TIDY_EVERY_S
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "gatepost.app.renewal", str(Path(self._config.file))),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            async with asyncio.timeout(_LONGEST_S):
                out, error = await process.communicate()
        except (TimeoutError, asyncio.CancelledError) as ended:
            process.kill()
            await process.wait()
            if isinstance(ended, asyncio.CancelledError):
                raise
            out, error = b"", f"no end within {_LONGEST_S:.0f} s".encode()
        self._report(out, error)

    def _report(self, out: bytes, error: bytes) -> None:
        try:
            told = json.loads(out)
        except ValueError:
            last = error.decode("utf-8", "replace").strip().splitlines()[-1:] or ["it said nothing"]
            told = {"outcome": "not-rehearsed", "problem": f"the rehearsal broke off: {last[0]}"}
        outcome = told.pop("outcome")
        if outcome == "presented":
            self._events.emit(
                "renewal-rehearsed", names=told["names"], sha256=told["sha256"], changed=told.get("changed")
            )
        elif outcome != "unchanged":
            self._alarm(outcome, told)

    def _alarm(self, outcome: str, told: dict[str, Any]) -> None:
        """Once for each thing that is wrong; it is tried again all the same."""
        problem = str(told.get("problem"))
        if self._told == (outcome, problem):
            return
        self._told = (outcome, problem)
        code = "renewal-refused" if outcome in _REFUSED else "renewal-not-rehearsed"
        if outcome in _REFUSED:
            self._events.emit("renewal-refused", problem=problem, do=told.get("do"), names=told.get("names"))
        else:
            self._events.emit("renewal-not-rehearsed", problem=problem)
        self._alarms.raise_(
            Alarm(
                code=code,
                tenant=None,
                subject=str(told.get("sha256", "")),
                title=f"the renewed certificate of {self._config.hostname} is not presented",
                says=f"A renewed certificate of this edge did not pass its rehearsal: {problem}.",
                do=str(told.get("do") or "gatepost hybrid verify"),
            )
        )
