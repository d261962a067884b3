"""A command by a user who may not use the data folder ends in one sentence, with the command line that works."""

import os
import sys
from pathlib import Path
from shlex import join

from gatepost.cli import context


def explained(error: Exception) -> str | None:
    """One line for `error` where it comes from missing rights; None where it does not."""
    denied = error.filename if isinstance(error, PermissionError) else _out_of_reach(_data_folder())
    if denied is None:
        return None
    path = Path(os.fsdecode(denied))
    owner = _owner(path)
    command = f"; run this as the relay's user: sudo -u {owner} {join(['gatepost', *sys.argv[1:]])}" if owner else ""
    return f"{path}: permission denied{command}"


def _data_folder() -> Path | None:
    path = context.config_path()
    return context.config().data if path.exists() and os.access(path, os.R_OK) else None


def _out_of_reach(data: Path | None) -> Path | None:
    """What of the data folder this user may not use."""
    if data is None or not data.exists():
        return None
    if not os.access(data, os.R_OK | os.X_OK):
        return data
    return next((file for file in data.glob("*.sqlite") if not os.access(file, os.R_OK | os.W_OK)), None)


def _owner(path: Path) -> str | None:
    """Somebody else to whom the data folder belongs, where `path` is in it."""
    try:
        from pwd import getpwuid
    except ImportError:
        return None  # not POSIX: the doctor and the wizard's exports work there, and use no data folder
    data = _data_folder()
    if data is None or not path.absolute().is_relative_to(data.absolute()) or data.stat().st_uid == os.geteuid():
        return None
    try:
        return getpwuid(data.stat().st_uid).pw_name
    except KeyError:
        return f"'#{data.stat().st_uid}'"
