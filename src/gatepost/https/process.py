"""A face in a process of its own: what it begins with, and how it ends with the supervisor."""

import asyncio
import os
import socket
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, TypeVar

from gatepost.config import Config, HttpsConfig
from gatepost.https.server import Certificate, say, serve

Settings = TypeVar("Settings", bound=HttpsConfig)

_WATCH_S = 1.0


def run(
    config: Config,
    face: str,
    settings_of: Callable[[Config], Settings | None],
    application: Callable[[Config, Settings], Any],
    descriptors: Sequence[int],
) -> int:
    """`descriptors`: to say on that it serves, and the listening socket's."""
    # Before anything is said: the supervisor may end as soon as it has heard that this process serves.
    supervisor = os.getppid()
    ready, listener = descriptors
    settings = settings_of(config)
    assert config.tls is not None and settings is not None, "the configuration demands both"
    try:
        certificate = Certificate(config.tls.certificates[0], face)
    except OSError as error:
        say(face, f"the certificate cannot be loaded: {error}")
        return 1
    serving = serve(application(config, settings), certificate, [socket.socket(fileno=listener)], settings)
    asyncio.run(_as_long_as(supervisor, serving, ready))
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
