"""Two sides in memory, kept by the rules of the real ones, and somebody who edits them by hand."""

from collections.abc import Iterable
from copy import deepcopy
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from ipaddress import ip_network
from typing import Any

from gatepost.hybrid.apply import same
from gatepost.hybrid.desire import Desired, desired_at_edge, desired_at_relay
from gatepost.hybrid.errors import ApplyError
from gatepost.hybrid.observe import relevant
from gatepost.hybrid.plan import Change, Plan, difference
from gatepost.tenancy.tenant import SmartHost

AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)

DESIRED = Desired(
    smart_host=SmartHost(host="relay.example.net", port=2525),
    domains=("contoso.com",),
    certificate="/etc/gatepost/mail.pem",
    key="/etc/gatepost/mail.key",
    names=("mail.contoso.com",),
    hostname="edge.contoso.com",
    local_tenant="on-premises",
    local_networks=(ip_network("10.0.0.0/8"),),
)


@dataclass
class MemorySide:
    objects: dict[str, dict[str, Any]] = field(default_factory=dict)

    def read(self, names: Iterable[str]) -> dict[str, Any]:
        return {name: deepcopy(self.objects.get(name)) for name in names}

    def write(self, change: Change) -> None:
        if not same(self.objects.get(change.object), change.before):
            raise ApplyError(f"{change.object} was changed by somebody else")
        if change.after is None:
            del self.objects[change.object]
        else:
            self.objects[change.object] = deepcopy(dict(change.after))


@dataclass
class World:
    relay: MemorySide = field(default_factory=MemorySide)
    edge: MemorySide = field(default_factory=MemorySide)
    last: dict[str, Any] = field(default_factory=dict)
    last_at: datetime | None = None

    @property
    def sides(self) -> dict[str, MemorySide]:
        return {"relay": self.relay, "edge": self.edge}

    def plan(self, desired: Desired = DESIRED, *, overwrite: tuple[str, ...] = (), at: datetime = AT) -> Plan:
        everything = {side: objects.objects for side, objects in self.sides.items()}
        objects = (
            *desired_at_relay(desired, self.relay.objects, self.last, self.last_at, at),
            *desired_at_edge(desired, self.edge.objects, self.last),
        )
        observed = relevant(objects, everything)
        changes, kept = difference(objects, observed, self.last, overwrite)
        answered = {side: dict(objects) for side, objects in self.last.items()}
        for each in objects:
            answered.setdefault(each.side, {})[each.object] = dict(each.fields)
        return Plan(made_at=at.isoformat(), request={}, observed=observed, desired=answered, changes=changes, kept=kept)

    def state(self) -> dict[str, Any]:
        return deepcopy({side: objects.objects for side, objects in self.sides.items()})

    def remember(self, plan: Plan, at: datetime = AT) -> None:
        self.last = deepcopy({side: dict(objects) for side, objects in plan.desired.items()})
        self.last_at = at


def renewed(*names: str) -> Desired:
    return replace(DESIRED, names=names)
