"""Next hops that a person should look after: smart hosts that cannot be reached, and relays that refuse this server.

What flows through: what delivery finds out, on the event loop; the faults that stand come out once a second, on a
thread that changes nothing. Laws: a fault ends when the next hop takes mail, or when nobody has met it for so long that
no mail leads there any more; memory is bounded, whatever tenants configure.
"""

from dataclasses import dataclass
from typing import Any, Final

from gatepost.tenancy.tenant import SendConnector

Record = dict[str, Any]

DOWN: Final = "next-hop-down"
REFUSES_US: Final = "relay-refuses-us"
FAULTS: Final = (DOWN, REFUSES_US)

_MOST: Final = 1000
_MOST_OF_A_TENANT: Final = 50
_REMEMBERED_S: Final = 4 * 3600.0
"""Longer than any pause between two attempts (`[retry] interval`), unless somebody makes it much longer."""
_LONGEST: Final = 500


@dataclass(slots=True)
class _Fault:
    since: float
    at: float
    says: str
    do: str


class NextHopFaults:
    """Of one worker."""

    def __init__(self) -> None:
        self._faults: dict[tuple[str, str], _Fault] = {}
        """By code and what it is about."""

    def is_down(self, connector: SendConnector, why: str, now: float) -> None:
        """None of its smart hosts takes a session."""
        self._note(
            DOWN,
            _name(connector),
            f"{', '.join(map(str, connector.smart_hosts))} of send connector {_name(connector)} takes no mail: {why}",
            "look after that server, or change the connector: gatepost send-connector show "
            + (f"{connector.name} --tenant {connector.tenant}" if connector.tenant else connector.name),
            now,
        )

    def takes_mail(self, connector: SendConnector) -> None:
        if self._faults:
            self._faults.pop((DOWN, _name(connector)), None)

    def refuses_us(self, host: str, tenant: str | None, says: str, do: str, now: float) -> None:
        """A relay of ours does not recognise this server."""
        self._note(REFUSES_US, _about(host, tenant), says, do, now)

    def recognises_us(self, host: str, tenant: str | None) -> None:
        if self._faults:
            self._faults.pop((REFUSES_US, _about(host, tenant)), None)

    def faults(self, now: float) -> list[Record]:
        """From whichever thread: the loop may be adding some meanwhile."""
        return [
            {"code": code, "about": about, "since": each.since, "says": each.says, "do": each.do}
            for (code, about), each in list(self._faults.items())
            if _stands(each, now)
        ]

    def _note(self, code: str, about: str, says: str, do: str, now: float) -> None:
        before = self._faults.get((code, about))
        if before is None or not _stands(before, now):
            before = None
            self._faults = {key: each for key, each in self._faults.items() if _stands(each, now)}
            if len(self._faults) >= _MOST or self._has_many(about):
                return
        self._faults[code, about] = _Fault(before.since if before else now, now, says[:_LONGEST], do)

    def _has_many(self, about: str) -> bool:
        tenant, separator, _ = about.partition("/")
        return bool(separator) and sum(each.startswith(f"{tenant}/") for _, each in self._faults) >= _MOST_OF_A_TENANT


def _stands(fault: _Fault, now: float) -> bool:
    return now - fault.at < _REMEMBERED_S


def _name(connector: SendConnector) -> str:
    return f"{connector.tenant}/{connector.name}" if connector.tenant else connector.name


def _about(host: str, tenant: str | None) -> str:
    return f"{tenant}/{host}" if tenant else host
