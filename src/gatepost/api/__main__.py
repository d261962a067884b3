"""`python -m gatepost.api FILE READY-FD LISTENER-FD` is how the supervisor starts the API; nobody else does.

What stood in the configuration file comes in by standard input, as the supervisor read it.
"""

import asyncio
import os
import socket
import sys
from pathlib import Path

from gatepost import config as configuration
from gatepost.api.application import application
from gatepost.api.server import Certificate, say, serve
from gatepost.config import Config

_WATCH_S = 1.0


def main(arguments: list[str]) -> int:
    file, ready, listener = arguments
    config = configuration.parse(Path(file), sys.stdin.read())
    return asyncio.run(_run(config, int(ready), socket.socket(fileno=int(listener))))


async def _run(config: Config, ready: int, listener: socket.socket) -> int:
    assert config.tls is not None and config.api is not None, "the configuration demands both"
    try:
        certificate = Certificate(config.tls.certificates[0])
    except OSError as error:
        say(f"the certificate cannot be loaded: {error}")
        return 1
    watching = asyncio.create_task(_stop_without_supervisor())
    os.write(ready, b"1")
    os.close(ready)
    await serve(application(config, config.api), certificate, [listener], config.api)
    watching.cancel()
    return 0


async def _stop_without_supervisor() -> None:
    supervisor = os.getppid()
    while os.getppid() == supervisor:
        await asyncio.sleep(_WATCH_S)
    # Nobody would restart or stop this process any more.
    os._exit(1)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
