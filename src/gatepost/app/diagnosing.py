"""The doctor for a process that others wait for: asked apart, a few at a time, and given up after a while."""

import json
import subprocess
import sys
from collections.abc import Mapping
from threading import BoundedSemaphore
from typing import Any, Final

_AT_ONCE: Final = 2
_WAIT_S: Final = 5.0
"""For those before."""
_PATIENCE_S: Final = 20.0
"""With what was waited, less than a request may take."""
_LONGEST: Final = 256 * 1024

_places = BoundedSemaphore(_AT_ONCE)


def diagnosed(texts: Mapping[str, str]) -> dict[str, Any] | None:
    """The report of `gatepost doctor --json` about these texts, by name; None: it was given up."""
    if not _places.acquire(timeout=_WAIT_S):
        return None
    try:
        done = subprocess.run(
            [sys.executable, "-m", "gatepost.doctor.apart"],
            input=json.dumps({name: text[:_LONGEST] for name, text in texts.items()}).encode(),
            capture_output=True,
            timeout=_PATIENCE_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return None
    finally:
        _places.release()
    found: dict[str, Any] | None = json.loads(done.stdout) if done.returncode == 0 else None
    return found
