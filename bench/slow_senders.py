"""Sessions that send an octet of content a second and never come to an end."""

import asyncio
from threading import Event, Thread

_OPENING_AT_ONCE = 50


class SlowSenders:
    """Open from the first line of a `with` to its last, on a thread of their own."""

    def __init__(self, port: int, count: int, *, address: str, sender: str) -> None:
        self.octets = 0
        self._port = port
        self._count = count
        self._address = address
        self._sender = sender
        self._open = Event()
        self._enough = Event()
        self._thread = Thread(target=lambda: asyncio.run(self._dribble()))
        self._trouble: BaseException | None = None

    def __enter__(self) -> "SlowSenders":
        self._thread.start()
        self._open.wait()
        if self._trouble:
            self._thread.join()
            raise self._trouble
        return self

    def __exit__(self, *error: object) -> None:
        self._enough.set()
        self._thread.join()

    async def _dribble(self) -> None:
        room = asyncio.Semaphore(_OPENING_AT_ONCE)
        try:
            writers = await asyncio.gather(*(self._opened(room) for _ in range(self._count)))
        except BaseException as error:
            self._trouble = error
            raise
        finally:
            self._open.set()
        # Not all in the same moment of each second.
        while not self._enough.is_set():
            for part in range(20):
                for writer in writers[part::20]:
                    writer.write(b"x" if self.octets % 70 else b"\r\n")
                    self.octets += 1
                await asyncio.sleep(0.05)
        for writer in writers:
            writer.close()

    async def _opened(self, room: asyncio.Semaphore) -> asyncio.StreamWriter:
        async with room:
            reader, writer = await asyncio.open_connection("127.0.0.1", self._port, local_addr=(self._address, 0))
            await reader.readline()
            commands = ("EHLO slow", f"MAIL FROM:<{self._sender}>", "RCPT TO:<sink@example.net>", "DATA")
            for command in commands:
                writer.write(f"{command}\r\n".encode())
                line = await reader.readline()
                while line[3:4] == b"-":
                    line = await reader.readline()
                if line[:1] not in (b"2", b"3"):
                    raise ConnectionError(f"{command}: {line.decode(errors='replace').strip()}")
            writer.write(b"Subject: slow\r\n\r\n")
            return writer
