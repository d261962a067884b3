"""The rehearsal of a renewed certificate as a process of its own."""

import asyncio
from pathlib import Path

from gatepost.app.renewal_watch import look_in_child
from gatepost.config import parse


def test_a_rehearsal_that_breaks_off_is_told_with_its_last_line(tmp_path: Path) -> None:
    config = parse(tmp_path / "gatepost.toml", 'hostname = "e.example"\n[[listener]]\naddress = "127.0.0.1:2525"\n')
    found = asyncio.run(look_in_child(config))
    assert found["outcome"] == "not-rehearsed"
    assert "the rehearsal broke off: " in found["problem"] and "nothing has been applied" in found["problem"]
