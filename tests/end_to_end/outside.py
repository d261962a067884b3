"""The rest of the world, on a thread of its own: sinks that take mail, and a name server."""

import asyncio
from collections.abc import Coroutine
from threading import Thread
from types import TracebackType
from typing import Any, TypeVar

from dns_server import DnsServer
from end_to_end.installation import wait_until
from sink import KEYWORDS, Sink, SunkMessage

Result = TypeVar("Result")


class Outside:
    def __enter__(self) -> "Outside":
        self._loop = asyncio.new_event_loop()
        self._thread = Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._sinks: list[Sink] = []
        self.dns = self._done(DnsServer().start())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for sink in self._sinks:
            self._done(sink.stop())
        self._done(self.dns.stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def sink(self, port: int = 0, keywords: tuple[str, ...] = KEYWORDS, **options: Any) -> Sink:
        sink = Sink(keywords, **options)
        self._done(sink.start(port=port))
        self._sinks.append(sink)
        return sink

    def _done(self, work: Coroutine[Any, Any, Result]) -> Result:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(30)


def taken(sink: Sink, *, to: str, count: int = 1) -> SunkMessage:
    """The message for `to`, once `count` of them have come."""

    def found() -> list[SunkMessage]:
        return [message for message in tuple(sink.messages) if to in message.recipients]

    wait_until(lambda: len(found()) >= count, lambda: f"mail to {to}; there is {[m.recipients for m in sink.messages]}")
    return found()[-1]
