"""A worker in a process of its own, for tests that end it: accepts messages and prints each id once it is acknowledged.

Arguments: the queue's folder, how many messages, how large the content, how many at once, and optionally the largest
size a file may have.
"""

import asyncio
import os
import resource
import signal
import sys
from pathlib import Path

from contracts.queue_messages import message
from gatepost.queue.store import StoreError
from gatepost.store.queue.sqlite_queue import SqliteQueueStore


async def main(folder: Path, number: int, size: int, at_once: int) -> None:
    store = SqliteQueueStore(folder, 0)
    print("open", flush=True)
    for start in range(0, number, at_once):
        accepts = [accept(store, f"{n}@a.example", size) for n in range(start, start + at_once)]
        await asyncio.gather(*accepts)
    print("over", flush=True)


async def accept(store: SqliteQueueStore, to: str, size: int) -> None:
    content = to.encode().ljust(size, b".")
    try:
        (claim,) = (await store.accept(message(to, content=content), claim=True)).claims
    except StoreError as error:
        os.write(1, f"refused {to} {error}\n".encode())
    else:
        os.write(1, f"accepted {to} {claim.message.id}\n".encode())


if __name__ == "__main__":
    if len(sys.argv) > 5:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[5]), resource.RLIM_INFINITY))
    asyncio.run(main(Path(sys.argv[1]), *map(int, sys.argv[2:5])))
