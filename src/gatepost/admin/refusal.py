"""How a use case says no.

Law: a use case does the whole of what was asked, or raises `Refused` and has changed nothing. The text is one line for
the operator who asked: what, where, and what to do. What a tenant may read in its place is `to_tenant`: it names nobody
else.
"""


class Refused(Exception):
    """What was asked is not done."""

    code = "declined"
    """For programs; stable."""

    def __init__(self, says: str, *, to_tenant: str | None = None) -> None:
        super().__init__(says)
        self.to_tenant = says if to_tenant is None else to_tenant


class NotAllowed(Refused):
    """The answer is no: not allowed, not yet."""


class NotFound(NotAllowed):
    """What was named does not exist."""

    code = "not-found"


class AlreadyExists(NotAllowed):
    """What should be made exists, or its name is taken."""

    code = "already-exists"


class NameNotOwned(NotAllowed):
    """A connector's certificate name is in no verified domain of its tenant."""

    code = "certificate-name-not-owned"


class DomainNotVerified(NotAllowed):
    """DNS does not show the record."""

    code = "domain-not-verified"


class OwnedByAnother(NotAllowed):
    """The domain is verified for another tenant."""

    code = "domain-owned-by-another"


class LimitReached(NotAllowed):
    """It would be more than a tenant may have."""

    code = "limit-reached"


class NetworkTooWide(NotAllowed):
    """The network holds more addresses than whoever asks may list."""

    code = "network-too-wide"


class BadRequest(Refused):
    """What was asked makes no sense as it was written."""

    code = "invalid"
