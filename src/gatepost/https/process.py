"""A face in a process of its own: how the supervisor starts it, and how it ends with the supervisor.

What stood in the configuration file comes in by standard input, as the supervisor read it.
"""

import asyncio
import os
import socket
import sys
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any

from gatepost import config as configuration
from gatepost.config import Config, HttpsConfig
from gatepost.https.server import Certificate, say, serve

_WATCH_S = 1.0


def run(
    arguments: Sequence[str],
    face: str,
    settings_of: Callable[[Config], HttpsConfig | None],
    application: Callable[[Config, HttpsConfig], Any],
) -> int:
    """`arguments`: the configuration file, the descriptor to say on that it serves, the listening socket's."""
    # Before anything is said: the supervisor may end as soon as it has heard that this process serves.
    supervisor = os.getppid()
    file, ready, listener = arguments
    config = configuration.parse(Path(file), sys.stdin.read())
    settings = settings_of(config)
    assert config.tls is not None and settings is not None, "the configuration demands both"
    try:
        certificate = Certificate(config.tls.certificates[0], face)
    except OSError as error:
        say(face, f"the certificate cannot be loaded: {error}")
        return 1
    serving = serve(application(config, settings), certificate, [socket.socket(fileno=int(listener))], settings)
    asyncio.run(_as_long_as(supervisor, serving, int(ready)))
    return 0


async def _as_long_as(supervisor: int, serving: Coroutine[Any, Any, None], ready: int) -> None:
    watching = asyncio.create_task(_stop_without(supervisor))
    os.write(ready, b"1")
    os.close(ready)
    await serving
    watching.cancel()


async def _stop_without(supervisor: int) -> None:
    while os.getppid() == supervisor:
        await asyncio.sleep(_WATCH_S)
    # Nobody would restart or stop this process any more.
    os._exit(1)
