"""Every exception of Gatepost, in one tree; those that are not here stand with what raises them.

    GatepostError
    ├── Refused                     a use case does not do what was asked
    │   ├── NotAllowed              the answer is no: not allowed, not yet
    │   │   ├── NotFound
    │   │   ├── AlreadyExists
    │   │   ├── NameNotOwned
    │   │   ├── DomainNotVerified
    │   │   ├── OwnedByAnother
    │   │   ├── LimitReached
    │   │   ├── NetworkTooWide
    │   │   └── BadToken
    │   │       ├── ExpiredToken
    │   │       └── RevokedToken
    │   ├── BadRequest              it makes no sense as it was written
    │   │   └── NoObject            a line of a file that is no object
    │   └── ImportRefused           lines of a file that cannot be
    ├── StoreError                  queue, directory
    │   ├── StoreUnavailable
    │   │   └── StoreInUse, StoreInDoubt
    │   └── StoreDamaged
    ├── DamagedFile, BadPosition    the trace
    ├── ApiUnreachable, ApiRefused  a relay elsewhere
    ├── HybridError                 the wizard (hybrid.errors)
    │   ├── UnusableFile, UnusablePlan, NotPossible, NothingApplied, Busy, PlanOutdated
    │   └── ApplyError              one side cannot be asked or changed
    │       └── NotChanged
    │           └── RelayRefused
    ├── NotFetched                  the policy of a recipients' domain
    ├── ProviderFault               an identity provider is down, or lies
    ├── SecretError, WebhookFailed  the webhook of the alarms
    ├── ConfigError, StartError, SetupError, ListenerNotFound, LauncherEnded     before anything runs
    ├── CredentialError, CertificateFileError                           files that are named
    ├── DomainError, NameserverError, NoCertificate, BundleError        texts that are not what they should be
    ├── CutShort, NotEnoughExported, NothingToRead                      evidence that does not suffice
    └── CompileError, LoadError, Setback                                load generator, demo

Law: a use case does the whole of what was asked, or raises `Refused` and has changed nothing. A refusal is data: a
stable code, the field it is about, what is the matter, what to do next, and what a tenant may read in its place, which
names nobody else. A field has one name in JSON and another as an option of a command, so a sentence holds the field
itself, and the face that shows the sentence writes the name.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Self


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """What the API knows by one name and the command line by another."""

    name: str
    """In JSON: `certificate_names`."""
    option: str
    """Of a command, without its dashes: `certificate-name`."""


Sentence = str | Sequence[str | Named]
"""One line, or parts that make one."""


def with_options(sentence: Sentence) -> str:
    """As the command line says it."""
    return written(sentence, lambda named: f"--{named.option}")


def with_keys(sentence: Sentence) -> str:
    """As JSON has it."""
    return written(sentence, lambda named: named.name)


def written(sentence: Sentence, write: Callable[[Named], str]) -> str:
    """As a face says it that has names of its own."""
    parts = [sentence] if isinstance(sentence, str) else sentence
    return "".join(write(part) if isinstance(part, Named) else part for part in parts)


class GatepostError(Exception):
    """Whatever Gatepost raises by itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What is the matter, and what to do about it."""

    message: Sentence
    next_step: Sentence = ""

    def __str__(self) -> str:
        """In one line, for the command line."""
        step = with_options(self.next_step)
        return with_options(self.message) + (f"; {step}" if step else "")


class Refused(GatepostError):
    """What was asked is not done."""

    code = "declined"
    """For programs; stable."""

    def __init__(
        self,
        *message: str | Named,
        field: Named | None = None,
        next_step: Sentence = "",
        to_tenant: Said | None = None,
    ) -> None:
        """`field`: what it is about; else the first that the message names. `to_tenant`: what a tenant reads."""
        super().__init__(*message)
        self.said = Said(message=message, next_step=next_step)
        self.to_tenant = to_tenant or self.said
        self.field = field or next((part for part in message if isinstance(part, Named)), None)

    def __str__(self) -> str:
        return str(self.said)

    def about(self, field: Named) -> Self:
        """The same, now that it is known which field it is about."""
        self.field = self.field or field
        return self


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


class BadToken(NotAllowed):
    """The token opens nothing."""

    code = "unauthenticated"


class ExpiredToken(BadToken):
    code = "token-expired"


class RevokedToken(BadToken):
    code = "token-revoked"


class BadRequest(Refused):
    """What was asked makes no sense as it was written."""

    code = "invalid"


def refused_with(code: str, message: str, *, field: str | None = None, next_step: str | None = None) -> Refused:
    """A refusal that another process sent. A token that opens nothing is a slip of whoever named its file."""
    # One that a use case makes for itself has the code of its kind, which comes first.
    kinds: list[type[Refused]] = [BadRequest, NotAllowed, *_each_below(NotAllowed)]
    kind = next((each for each in kinds if each.code == code), NotAllowed)
    named = Named(name=field, option=field.replace("_", "-")) if field else None
    if issubclass(kind, BadToken):
        kind = BadRequest
    refusal = kind(message, field=named, next_step=next_step or "")
    refusal.code = code
    return refusal


def _each_below(kind: type[Refused]) -> list[type[Refused]]:
    return [each for below in kind.__subclasses__() for each in (below, *_each_below(below))]
