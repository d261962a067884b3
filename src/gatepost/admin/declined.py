"""How a use case says no.

Law: a use case does the whole of what was asked, or raises `Declined` and has changed nothing. The text is one line for
the operator who asked: what, where, and what to do. What a tenant may read in its place is `to_tenant`: it names nobody
else.
"""


class Declined(Exception):
    """What was asked is not done."""

    code = "declined"
    """For programs; stable."""

    def __init__(self, says: str, *, to_tenant: str | None = None) -> None:
        super().__init__(says)
        self.to_tenant = says if to_tenant is None else to_tenant


class No(Declined):
    """The answer is no: not allowed, not yet."""


class NotFound(No):
    """What was named does not exist."""

    code = "not-found"


class AlreadyThere(No):
    """What should be made exists, or its name is taken."""

    code = "already-exists"


class NameNotOwned(No):
    """A connector's certificate name is in no verified domain of its tenant."""

    code = "certificate-name-not-owned"


class DomainNotVerified(No):
    """DNS does not show the record."""

    code = "domain-not-verified"


class OwnedByAnother(No):
    """The domain is verified for another tenant."""

    code = "domain-owned-by-another"


class LimitReached(No):
    """It would be more than a tenant may have."""

    code = "limit-reached"


class NetworkTooWide(No):
    """The network holds more addresses than whoever asks may list."""

    code = "network-too-wide"


class WrongUse(Declined):
    """What was asked makes no sense as it was written."""

    code = "invalid"
