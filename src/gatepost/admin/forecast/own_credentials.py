"""What this server itself, and its tenants' connectors, prove themselves with, and when that ends.

What flows through: certificates as their files show them and tokens as the directory has them in; prospects out. Laws:
what ends is told of before it ends, and goes on being told of afterwards; a tenant is told of its own alone, and of no
file of the server.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from gatepost.admin.forecast.forecast import HORIZON, ForecastCode, ForecastItem
from gatepost.tenancy.token import Scope, Token

_IN_USE = timedelta(days=30)
"""A token that was not used for so long is missed by nobody."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnCertificate:
    """A certificate that is presented, or that others are judged by."""

    code: ForecastCode
    tenant: str
    """Empty: the server's own."""
    connector: str
    what: str
    """For people: `the server certificate`."""
    file: str
    """Empty: kept in the directory."""
    sha256: str
    subject: str
    names: tuple[str, ...]
    not_after: datetime | None
    kept_back: bool = False
    """It is presented in place of a renewed one that did not pass its rehearsal."""
    problem: str = ""
    """Why its file cannot be read; then the rest is empty."""

    @property
    def named(self) -> str:
        return self.names[0] if self.names else self.subject or self.sha256[:16]

    @property
    def until(self) -> str:
        return f"{self.not_after:%Y-%m-%d %H:%M} UTC" if self.not_after else "an unknown date"

    def has_ended(self, at: datetime) -> bool:
        return self.not_after is not None and self.not_after <= at


def of_certificates(certificates: Iterable[OwnCertificate], at: datetime) -> Iterator[ForecastItem]:
    for each in certificates:
        if each.kept_back:
            yield _prospect(
                each,
                ForecastCode.RENEWAL_STUCK,
                f"a renewed certificate is there, and {each.what} is still presented as {each.named} until "
                f"{each.until}: the renewed one has not passed its rehearsal with the relay",
                "see why: gatepost hybrid verify",
            )
        elif each.problem:
            yield _prospect(each, each.code, f"{each.what}: {each.problem}", "repair the file")
        elif each.not_after and each.not_after - at <= HORIZON:
            verb = "expired" if each.has_ended(at) else "expires"
            of_file = f" ({each.file})" if each.file and not each.tenant else ""
            yield _prospect(each, each.code, f"{each.what} {each.named}{of_file} {verb} {each.until}", _DO[each.code])


_DO = {
    ForecastCode.OWN_CERTIFICATE_EXPIRES: "renew it and replace its files; they are loaded again without a restart",
    ForecastCode.TRUST_ANCHOR_EXPIRES: "add its successor before that: gatepost inbound-connector set TENANT NAME "
    "--add-trust-anchor PEM",
}


def _prospect(certificate: OwnCertificate, code: ForecastCode, says: str, do: str) -> ForecastItem:
    return ForecastItem(
        code=code,
        tenant=certificate.tenant,
        connector=certificate.connector,
        # Of one certificate in two places each is told.
        subject=certificate.sha256 or certificate.file,
        due_at=certificate.not_after,
        says=says,
        do=do,
    )


def of_tokens(tokens: Iterable[Token], at: datetime) -> Iterator[ForecastItem]:
    """Of those that somebody uses."""
    for token in tokens:
        ends = token.expires_at
        if ends is None or token.revoked_at or token.used_at is None:
            continue
        if ends - at > HORIZON or at - token.used_at > _IN_USE or (_renews_itself(token) and not token.is_overdue(at)):
            continue
        whose = f" --tenant {token.tenant}" if token.tenant else ""
        yield ForecastItem(
            code=ForecastCode.TOKEN_EXPIRES,
            tenant=token.tenant or "",
            connector="",
            subject=token.id,
            due_at=ends,
            says=f"API token {token.id}, used {token.used_at:%Y-%m-%d}, "
            f"{'expired' if token.has_expired(at) else 'expires'} {ends:%Y-%m-%d %H:%M} UTC",
            do=f"ask the relay's operator for a new one, and replace its file: gatepost token add{whose} --out FILE",
        )


def _renews_itself(token: Token) -> bool:
    return Scope.RENEW in token.scopes


def of_relay_token(id: str, ends: datetime, at: datetime) -> ForecastItem:
    """Of an edge, at its relay."""
    return ForecastItem(
        code=ForecastCode.TOKEN_EXPIRES,
        tenant="",
        connector="",
        subject=id,
        due_at=ends,
        says=f"this edge's token at the relay, {id}, {'expired' if ends <= at else 'expires'} "
        f"{ends:%Y-%m-%d %H:%M} UTC; without it a renewed certificate cannot be rehearsed, and is not presented",
        do="ask the relay's operator for a new one (gatepost token add --tenant T --out FILE), replace the token "
        "file, then: gatepost hybrid verify",
    )
