"""The send side's protocol log: rows in, files elsewhere.

One `SessionLog` numbers the rows of one session and knows its ends; a connector with its log off has none.
"""

from collections.abc import Callable
from typing import Protocol

from gatepost.protocol_log.certificates import REMOTE_CERTIFICATE, SENDING_CERTIFICATE, certificate_row
from gatepost.protocol_log.record import Event, ProtocolLogRecord
from gatepost.tenancy.evidence import CertificateFacts

Clock = Callable[[], float]

# The next hop chooses the texts of its certificate: a row must not grow with them.
_LONGEST_NAME = 512
_MOST_NAMES = 50


class SendLog(Protocol):
    def add(self, record: ProtocolLogRecord) -> None: ...

    def belongs(self, session_id: str, tenant: str | None, *, ended: bool = False) -> None:
        """Whose the session's rows are, from the first that waits; `ended`: no row will follow."""


class SessionLog:
    __slots__ = (
        "_clock",
        "_connector",
        "_log",
        "_sequence",
        "_session_id",
        "_tenant",
        "local_endpoint",
        "remote_endpoint",
    )

    def __init__(self, log: SendLog, clock: Clock, connector: str, session_id: str, remote_endpoint: str) -> None:
        self._log = log
        self._clock = clock
        self._connector = connector
        self._session_id = session_id
        self._sequence = 0
        self._tenant: str | None = None
        self.local_endpoint = ""
        self.remote_endpoint = remote_endpoint

    def add(self, event: Event, data: str, context: str = "") -> None:
        self._log.add(
            ProtocolLogRecord(
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
        self._sequence += 1

    def carries(self, tenant: str | None) -> None:
        """A message of `tenant` follows."""
        if tenant is not None and tenant != self._tenant:
            self._tenant = tenant
            self._log.belongs(self._session_id, tenant)

    def end(self, who: str) -> None:
        self.add(Event.DISCONNECT, "", who)
        self._log.belongs(self._session_id, self._tenant, ended=True)

    def received(self, lines: tuple[str, ...]) -> None:
        """A reply is one row; more lines than one are joined as Exchange joins them."""
        if len(lines) == 1:
            self.add(Event.RECEIVE, lines[0])
        else:
            self.add(Event.RECEIVE, f"{lines[-1][:3]}  " + " ".join(line[4:] for line in lines))

    def own_certificate(self, leaf: CertificateFacts) -> None:
        self._certificate(SENDING_CERTIFICATE, leaf)

    def remote_certificate(self, leaf: CertificateFacts) -> None:
        self._certificate(REMOTE_CERTIFICATE, leaf)

    def _certificate(self, title: str, leaf: CertificateFacts) -> None:
        data, context = certificate_row(
            title,
            subject=leaf.subject[:_LONGEST_NAME],
            issuer=leaf.issuer[:_LONGEST_NAME],
            serial=leaf.serial,
            der=leaf.der,
            not_before=leaf.not_before,
            not_after=leaf.not_after,
            names=leaf.names[:_MOST_NAMES],
        )
        self.add(Event.INFORMATION, data, context)
