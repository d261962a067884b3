"""A relay that is well, for tests to take something from."""

from typing import Any

from gatepost.admin.forecast.forecast import ForecastCode
from gatepost.admin.forecast.own_credentials import OwnCertificate
from gatepost.admin.status.observed import Face, Interpreter, Listener, NameServer, Observed
from gatepost.queue.message import RecipientState
from gatepost.queue.store import QueueCount

NOW = 1_796_126_400.0
MINUTE = int(NOW // 60)


def worker(number: int, **said: Any) -> dict[str, Any]:
    return {"number": number, "pid": 17, "started_at": NOW - 60, "at": NOW - 1, "why_not": None, "errors": [], **said}


def queued(domain: str, age_s: float, state: RecipientState = RecipientState.QUEUED) -> QueueCount:
    return QueueCount(tenant="contoso", domain=domain, state=state, recipients=3, oldest_received_at=NOW - age_s)


WELL = Observed(
    now=NOW,
    version="0.1.0",
    interpreter=Interpreter(version="3.11.2", optimized=True),
    running_since=NOW - 3600,
    listeners=[Listener(address="0.0.0.0:25", tls=True)],
    places=2,
    workers=[worker(0), worker(1)],
    minutes={},
    ended=[],
    faces=[Face(name="the console", address="127.0.0.1:8444", pid=4)],
    name_servers=[NameServer(address="192.0.2.53:53", took_s=0.0123)],
    needs_dns=True,
    queue=[queued("x.example", 60.0)],
    unreadable=[],
    damaged_trace=[],
    not_found_out=[],
    alarms_not_told="",
    free_disk=10**12,
    disk=10**13,
    least_free_disk=10**6,
    certificates=[
        OwnCertificate(
            code=ForecastCode.OWN_CERTIFICATE_EXPIRES,
            tenant="",
            connector="",
            what="the server certificate",
            file="server.pem",
            sha256="00",
            subject="",
            names=("relay",),
            not_after=None,
        )
    ],
    ending=[],
)
