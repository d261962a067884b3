"""Work that sessions must not wait for, in a process of its own: one module, which gets the configuration by standard
input, as the worker has it."""

import asyncio
import sys
from typing import NamedTuple

from gatepost.config import Config


class Ended(NamedTuple):
    exit_code: int
    output: bytes
    errors: bytes


async def run_module(module: str, config: Config, within_s: float) -> Ended:
    """`python -m MODULE FILE`. Raises `TimeoutError` when it has not ended by then. It does not outlive its caller."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", module, str(config.file)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(within_s):
            output, errors = await process.communicate(config.text.encode())
    except (TimeoutError, asyncio.CancelledError):
        process.kill()
        await process.wait()
        raise
    return Ended(process.returncode or 0, output, errors)
