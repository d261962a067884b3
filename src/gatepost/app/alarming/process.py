"""The alarms in a process of its own, which the supervisor has started by a launcher: they must be raised while workers
die."""

import asyncio
import os
from collections.abc import Sequence
from typing import Final

from gatepost.app.alarming.rounds import AlarmRounds
from gatepost.config import Config
from gatepost.logs.event_log import EventLog
from gatepost.logs.log_writer import LogWriter

_WATCH_S: Final = 1.0


def main(config: Config, arguments: Sequence[str], descriptors: Sequence[int]) -> int:
    """`descriptors`: to say on that it works."""
    # Before anything is said: whoever hears it may end in that moment.
    supervisor = os.getppid()
    (ready,) = descriptors
    asyncio.run(_run(config, supervisor, ready))
    return 0


async def _run(config: Config, supervisor: int, ready: int) -> None:
    assert config.alarm, "started where there are alarms"
    writer = LogWriter()
    rounds = AlarmRounds(config, config.alarm, EventLog(config.log, writer, process="alarms"))
    writer.start()
    working = asyncio.create_task(rounds.run())
    os.write(ready, b"1")
    os.close(ready)
    while os.getppid() == supervisor and not working.done():
        await asyncio.sleep(_WATCH_S)
    if working.done():
        # A bug: the supervisor starts another.
        await working
    # Else nobody would restart or stop this process any more.
