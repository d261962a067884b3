"""What its tenant's limits leave to one session (`limits` has the counts)."""

from collections.abc import Mapping

from gatepost.mail.reply import Reply
from gatepost.receiving import replies
from gatepost.receiving.limits import OverLimit, TenantGate


class SessionLimits:
    __slots__ = ("_entered", "_session_id", "_tenants")

    def __init__(self, tenants: TenantGate, session_id: str) -> None:
        self._tenants = tenants
        self._session_id = session_id
        self._entered: str | None = None
        """The tenant whose sessions this one counts among."""

    def refusal(self, tenant: str, recipients: int, declared_size: int, now: float) -> Reply | None:
        """Of one more recipient that `tenant`'s own server sends mail to, in a message with so many before."""
        if self._tenants.limits_of(tenant) is None:
            return None
        over = self._tenants.over(tenant, now, recipients)
        if over is None and self._entered is None:
            entered = self._tenants.enter(tenant, now)
            if entered is True:
                self._entered = tenant
            over = entered if isinstance(entered, OverLimit) else None
        if over:
            return replies.tenant_over_limit(over.says, over.after, now, self._session_id)
        return self._too_large(tenant, declared_size)

    def too_large(self, relaying: Mapping[str, int], size: int) -> Reply | None:
        """The refusal where some tenant's own server may not send as much."""
        for tenant in relaying:
            if refusal := self._too_large(tenant, size):
                return refusal
        return None

    def _too_large(self, tenant: str, size: int) -> Reply | None:
        limits = self._tenants.limits_of(tenant)
        if limits is None or not limits.message_size or size <= limits.message_size:
            return None
        return replies.tenant_message_too_large(limits.message_size, self._session_id)

    def count(self, relaying: Mapping[str, int], now: float) -> None:
        """A message was taken, with so many recipients for each tenant."""
        for tenant, recipients in relaying.items():
            self._tenants.count_message(tenant, now, recipients)

    def leave(self, now: float) -> None:
        """The session is over."""
        if self._entered is not None:
            self._tenants.leave(self._entered, now)
            self._entered = None
