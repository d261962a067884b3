"""5,000 smart hosts of evil's refuse its mail as a relay would, and the operator's mailbox gets 5,000 alarms a day.

What worked: an alarm was sent once a day for each smart host, and its words are the smart host's.
"""

import asyncio
from pathlib import Path
from typing import Any

from end_to_end.installation import Installation
from gatepost.admin.forecast.notices import Notice
from gatepost.app.alarms import Alarm, Alarms


class _Events:
    def emit(self, event: str, /, **fields: Any) -> None: ...


def raised(tenant: str | None, number: int) -> Alarm:
    return Alarm(
        code="relay-refuses-us",
        tenant=tenant,
        subject=f"192.0.2.{number}",
        title="it refuses",
        says="550 5.7.64",
        do="ask",
    )


def test_a_tenants_smart_hosts_cause_a_few_alarms_a_day_and_keep_no_other_from_being_told(tmp_path: Path) -> None:
    relay = Installation(tmp_path, top_settings='postmaster = "postmaster@operator.example"')
    relay.init()
    sent: list[Notice] = []

    async def keep(notice: Notice) -> str:
        sent.append(notice)
        return "0-1"

    async def day() -> None:
        alarms = Alarms(relay.settings, keep, _Events())  # type: ignore[arg-type]
        for number in range(100):
            alarms.raise_(raised("evil", number))
            alarms.raise_(raised("evil", number))
        for tenant in ("contoso", None):
            alarms.raise_(raised(tenant, 200))
        await asyncio.gather(*alarms._sending)

    asyncio.run(day())
    assert [notice.tenant for notice in sent].count("evil") == 5
    assert {"contoso", ""} <= {notice.tenant for notice in sent}
