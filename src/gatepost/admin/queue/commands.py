"""What an operator does with the queue, whoever carries it out: this process, or a relay elsewhere."""

import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from gatepost.admin.directory.editor import DirectoryEditor
from gatepost.admin.queue import waiting_mail
from gatepost.admin.queue.waiting_mail import MessageView, Overview
from gatepost.queue.orders import Action, Order
from gatepost.queue.store import QueueAdmin, QueueFilter


class QueueCommands(Protocol):
    """Every method raises `Refused` or `StoreError`, and then has changed nothing."""

    def unreadable(self) -> Sequence[str]: ...

    def overview(self, wanted: QueueFilter, limit: int) -> Overview: ...

    def shown(self, message_id: str) -> MessageView: ...

    def affected(self, action: Action, wanted: QueueFilter) -> int: ...

    def carry_out(self, action: Action, wanted: QueueFilter) -> int: ...

    def orders(self, limit: int) -> Sequence[tuple[str, Order]]: ...


class LocalQueue:
    """On the queues of this machine."""

    def __init__(self, admin: QueueAdmin, directory: Callable[[], AbstractContextManager[DirectoryEditor]]) -> None:
        """`directory` is opened where there is something to audit."""
        self._admin = admin
        self._directory = directory

    def unreadable(self) -> Sequence[str]:
        return self._admin.unreadable()

    def overview(self, wanted: QueueFilter, limit: int) -> Overview:
        return waiting_mail.overview(self._admin, wanted, limit)

    def shown(self, message_id: str) -> MessageView:
        return waiting_mail.shown(self._admin, message_id)

    def affected(self, action: Action, wanted: QueueFilter) -> int:
        return waiting_mail.affected(self._admin, action, wanted)

    def carry_out(self, action: Action, wanted: QueueFilter) -> int:
        with self._directory() as editor:
            return waiting_mail.carry_out(self._admin, editor, action, wanted, time.time())

    def orders(self, limit: int) -> Sequence[tuple[str, Order]]:
        return waiting_mail.orders(self._admin, limit)
