"""How hypothesis draws, and where what tests write lies: in memory, where the machine has the room.

A relay waits for the disk before each 250, and a directory before each change; tests do both thousands of times, and
no power fails under them. What they say of durability they show by kill -9, by the order of system calls and by a disk
that is made to fail, which are the same in memory. `pytest --basetemp FOLDER` takes a disk.
"""

import gc
import os
import shutil
import signal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, is_hypothesis_test, settings

from soak import rounds

# How long an example takes says how busy the machine is. A test that asks for more or fewer says so itself.
settings.register_profile(
    "gatepost", deadline=None, max_examples=rounds(40, large=2000), suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("gatepost")

MEMORY = Path("/dev/shm")
ROOM = 4 * 1024**3
"""Several times what the whole of the tests writes at once."""


# What collecting makes stays: looking for garbage among it would take a fifth of the time.
gc.disable()


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop() -> None:
    gc.freeze()
    gc.enable()


def pytest_configure(config: pytest.Config) -> None:
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        # A shell's background job; what a test starts and interrupts would inherit it.
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if config.option.basetemp is None and _has_room(MEMORY):
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(MEMORY))


def _has_room(folder: Path) -> bool:
    if not folder.is_dir() or not os.access(folder, os.W_OK | os.X_OK) or os.statvfs(folder).f_flag & os.ST_NOEXEC:
        return False
    return shutil.disk_usage(folder).free > ROOM


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Every test with drawn examples has a large form."""
    for item in items:
        if is_hypothesis_test(getattr(item, "obj", None)):
            item.add_marker(pytest.mark.soak)
