"""The verdict on a session as information rows, so that a receive log alone tells why mail was refused."""

from collections.abc import Iterable
from typing import Final

from gatepost.protocol_log.certificates import Row

VERDICT: Final = "Tenant attribution"
REASON: Final = "Tenant attribution reason"


def attribution_rows(
    outcome: str,
    tenant: str | None,
    connector: str | None,
    basis: str | None,
    reasons: Iterable[tuple[str, str | None, str]],
) -> list[Row]:
    """One row for the verdict, and one per reason: code, connector, what it says."""
    told = {"tenant": tenant, "connector": connector, "basis": basis}
    verdict = "; ".join([outcome, *(f"{name}={value}" for name, value in told.items() if value)])
    return [Row(verdict, VERDICT), *(Row(_reason(*each), REASON) for each in reasons)]


def _reason(code: str, connector: str | None, says: str) -> str:
    return f"{code} [{connector}]: {says}" if connector else f"{code}: {says}"
