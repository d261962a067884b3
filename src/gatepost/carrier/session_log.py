"""The rows of one session in the protocol log, in the order in which they happened.

What flows through: what was said and what happened; out come numbered records. Laws: rows are numbered without a gap; a
row that waits (`hold`) comes before the next, or never.
"""

from collections.abc import Callable
from functools import lru_cache, partial
from typing import Protocol

from gatepost.protocol_log.certificates import REMOTE_CERTIFICATE, SENDING_CERTIFICATE, certificate_row
from gatepost.protocol_log.record import Event, ProtocolLogRecord
from gatepost.tenancy.evidence import CertificateFacts


class Log(Protocol):
    def add(self, record: ProtocolLogRecord) -> None: ...


_Fields = tuple[float, str, str, int, str, str, Event, str, str]

# Two dozen rows a message: without the call of a function of Python that `ProtocolLogRecord(…)` is.
_record: Callable[[_Fields], ProtocolLogRecord] = partial(tuple.__new__, ProtocolLogRecord)


class SessionLog:
    __slots__ = (
        "_add",
        "_clock",
        "_connector",
        "_held",
        "_longest",
        "_most_names",
        "_sequence",
        "_session_id",
        "local_endpoint",
        "remote_endpoint",
    )

    def __init__(
        self,
        log: Log,
        clock: Callable[[], float],
        connector: str,
        session_id: str,
        longest: int | None = None,
        most_names: int | None = None,
    ) -> None:
        """`longest`, `most_names`: of a certificate, where the peer would make rows grow with its texts."""
        self._add = log.add
        self._clock = clock
        self._connector = connector
        self._session_id = session_id
        self._longest = longest
        self._most_names = most_names
        self._sequence = 0
        self._held: str | None = None
        self.local_endpoint = ""
        self.remote_endpoint = ""

    def add(self, event: Event, data: str, context: str = "") -> None:
        if self._held is not None:
            self._release()
        self._add(
            _record(
                (
                    self._clock(),
                    self._connector,
                    self._session_id,
                    self._sequence,
                    self.local_endpoint,
                    self.remote_endpoint,
                    event,
                    data,
                    context,
                )
            )
        )
        self._sequence += 1

    def hold(self, line: str) -> None:
        """The row of what was received waits until it is known whether it tells anything new."""
        if self._held is not None:
            self._release()
        self._held = line

    def drop_held(self) -> None:
        self._held = None

    def _release(self) -> None:
        line, self._held = self._held, None
        if line is not None:
            self.add(Event.RECEIVE, line)

    def own_certificate(self, leaf: CertificateFacts) -> None:
        self.add(Event.INFORMATION, *_certificate_row(SENDING_CERTIFICATE, leaf, self._longest, self._most_names))

    def remote_certificate(self, leaf: CertificateFacts) -> None:
        self.add(Event.INFORMATION, *_certificate_row(REMOTE_CERTIFICATE, leaf, self._longest, self._most_names))


@lru_cache(maxsize=128)
def _certificate_row(
    title: str, leaf: CertificateFacts, longest: int | None, most_names: int | None
) -> tuple[str, str]:
    return certificate_row(
        title,
        subject=leaf.subject[:longest],
        issuer=leaf.issuer[:longest],
        serial=leaf.serial,
        der=leaf.der,
        not_before=leaf.not_before,
        not_after=leaf.not_after,
        names=leaf.names[:most_names],
    )
