"""Wiring: the only floor that knows every class. Faces ask it for what they need, already connected.

`supervisor` runs `gatepost serve`, `worker` is one of its processes, `setup` writes a first configuration.
"""

import getpass
import os

from gatepost.config import Config
from gatepost.queue.store import QueueOffice
from gatepost.store.directory_editor import SqliteDirectoryEditor as DirectoryEditor
from gatepost.store.sqlite_directory import SqliteDirectory as Directory

__all__ = ["Directory", "DirectoryEditor", "QueueOffice", "open_directory", "open_editor", "open_queue_office"]


def open_directory(config: Config) -> Directory:
    """The directory, to read. Raises `StoreError`."""
    return Directory(config.directory_file)


def open_editor(config: Config) -> DirectoryEditor:
    """The directory, to change; changes are audited under the name of whoever runs this. Raises `StoreError`."""
    return DirectoryEditor(config.directory_file, who=operator_name())


def open_queue_office(config: Config) -> QueueOffice:
    """All queues of the data folder, whether their workers run or not."""
    from gatepost.store.queue_office import SqliteQueueOffice

    return SqliteQueueOffice(config.queue_folder)


def operator_name() -> str:
    """Who is at the keyboard: behind sudo, the person and not root."""
    if name := os.environ.get("SUDO_USER"):
        return name
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid {os.getuid()}"
