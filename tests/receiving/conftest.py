"""A scenario is played against the relay of `relay_side`."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from receiving.relay_side import Relay, relay


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., None]:
    def run(scenario: Callable[[Relay], Awaitable[None]], **said: Any) -> None:
        async def whole() -> None:
            async with relay(tmp_path, **said) as opened:
                await scenario(opened)

        asyncio.run(whole())

    return run
