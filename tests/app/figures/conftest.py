"""A relay's folder with two tenants, and figures as its workers would have left them."""

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from end_to_end.installation import Installation
from gatepost.app.figures import snapshots
from gatepost.config import Config


@pytest.fixture
def installed(tmp_path: Path) -> Config:
    relay = Installation(tmp_path)
    relay.init()
    for tenant in ("contoso", "fabrikam"):
        relay("tenant", "add", tenant)
    return relay.settings


@pytest.fixture
def told(installed: Config) -> Callable[..., None]:
    """Writes a supervisor's snapshot and one worker's, heard of `ago` seconds before."""

    def write(ago: float = 0.0, why_not: str | None = None, pid: int | None = None, **worker: Any) -> None:
        now = time.time()
        serve = {"pid": pid or os.getpid(), "version": "0.1.0", "started_at": now - 3600}
        snapshots.begin(installed.status_folder, serve)
        record = {
            "number": 0,
            "pid": 17,
            "started_at": now - 3600,
            "at": now - ago,
            "why_not": why_not,
            "counters": {},
            "histograms": {},
            "minutes": {},
            "errors": [],
            **worker,
        }
        snapshots.write(snapshots.worker_file(installed.status_folder, 0), record)

    return write
