"""What `gatepost status` finds out: snapshots of the workers, the queue, the disk, certificates and what ends."""

import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from typing import Any

from gatepost import __version__
from gatepost.admin.status.status import Certificate, Listener, Observed, status
from gatepost.app import open_editor, open_queue_admin
from gatepost.app.figures import snapshots
from gatepost.app.own_credentials import certificates, foreseen
from gatepost.config import Config
from gatepost.queue.store import QueueFilter
from gatepost.store.queue.capacity import disk_size, free_disk


def relay_status(config: Config) -> dict[str, Any]:
    """Raises `StoreError`."""
    found, now = snapshots.read(config.status_folder), time.time()
    admin = open_queue_admin(config)
    folder = config.queue_folder if config.queue_folder.exists() else config.file.parent
    with closing(open_editor(config)) as editor:
        shown = list(_certificates(config, editor))
        ending = foreseen(config, editor, datetime.now(UTC))
    running = found.serve if found.is_running else None
    return status(
        Observed(
            now=now,
            version=running["version"] if running else __version__,
            running_since=running["started_at"] if running else None,
            listeners=[
                Listener(address=each.name, tls=each.starttls and config.tls is not None) for each in config.listeners
            ],
            places=config.workers,
            workers=found.workers if running else (),
            minutes=found.total["minutes"] if running else {},
            queue=admin.counts(QueueFilter()),
            unreadable=admin.unreadable(),
            free_disk=free_disk(folder),
            disk=disk_size(folder),
            least_free_disk=config.queue.least_free_disk,
            certificates=shown,
            ending=ending,
        )
    )


def _certificates(config: Config, editor: Any) -> Iterator[Certificate]:
    for each in certificates(config, editor):
        yield Certificate(what=each.what, tenant=each.tenant or None, names=each.names, not_after=each.not_after)
