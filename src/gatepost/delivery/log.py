"""The send side's protocol log: rows in, files elsewhere. A connector with its log off has none."""

from collections.abc import Callable
from typing import Final, Protocol

from gatepost.carrier.session_log import Log, SessionLog
from gatepost.protocol_log.record import Event

# The next hop chooses the texts of its certificate: a row must not grow with them.
_LONGEST_NAME: Final = 512
_MOST_NAMES: Final = 50

# Looked up once: a member of an Enum is found through its metaclass, which takes as long as adding the row.
_SEND: Final = Event.SEND
_RECEIVE: Final = Event.RECEIVE


class SendLog(Log, Protocol):
    def belongs(self, session_id: str, tenant: str | None, *, ended: bool = False) -> None:
        """Whose the session's rows are, from the first that waits; `ended`: no row will follow."""


class OutboundLog:
    """The rows of one session, and whose they are."""

    __slots__ = ("_log", "_session_id", "_tenant", "add", "rows")

    def __init__(
        self, log: SendLog, clock: Callable[[], float], connector: str, session_id: str, remote_endpoint: str
    ) -> None:
        self.rows = SessionLog(log, clock, connector, session_id, _LONGEST_NAME, _MOST_NAMES)
        self.rows.remote_endpoint = remote_endpoint
        self.add = self.rows.add
        self._log = log
        self._session_id = session_id
        self._tenant: str | None = None

    def carries(self, tenant: str | None) -> None:
        """A message of `tenant` follows."""
        if tenant is not None and tenant != self._tenant:
            self._tenant = tenant
            self._log.belongs(self._session_id, tenant)

    def end(self, who: str) -> None:
        self.add(Event.DISCONNECT, "", who)
        self._log.belongs(self._session_id, self._tenant, ended=True)

    def sent(self, lines: tuple[str, ...]) -> None:
        for line in lines:
            self.add(_SEND, line)

    def received(self, lines: tuple[str, ...]) -> None:
        """A reply is one row; more lines than one are joined as Exchange joins them."""
        text = lines[0] if len(lines) == 1 else f"{lines[-1][:3]}  " + " ".join(line[4:] for line in lines)
        self.add(_RECEIVE, text)
