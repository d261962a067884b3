"""The outside world: a sink that keeps every message with its exact octets, for the checks to wait for."""

import asyncio
import threading
import time

from sink import Sink, SunkMessage


class Outside:
    """Runs in a thread of its own, beside the checks."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, daemon=True).start()
        self._sink = asyncio.run_coroutine_threadsafe(Sink().start(), self._loop).result()

    @property
    def port(self) -> int:
        return self._sink.port

    def wait_for(self, recipient: str, seconds: float = 10.0) -> SunkMessage:
        """The message to this recipient. Each check has recipients of its own."""
        deadline = time.monotonic() + seconds
        looked_at = 0
        while time.monotonic() < deadline:
            new = self._sink.messages[looked_at:]
            for message in new:
                if recipient in message.recipients:
                    return message
            looked_at += len(new)
            time.sleep(0.01)
        raise AssertionError(f"nothing for {recipient} arrived outside within {seconds:.0f} s")

    def stop(self) -> None:
        asyncio.run_coroutine_threadsafe(self._sink.stop(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
