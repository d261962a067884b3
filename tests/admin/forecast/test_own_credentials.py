"""What this server proves itself with is told of before it ends."""

from datetime import UTC, datetime, timedelta

import pytest

from gatepost.admin.forecast.forecast import ForecastCode
from gatepost.admin.forecast.own_credentials import OwnCertificate, of_certificates, of_relay_token, of_tokens
from gatepost.tenancy.token import Scope, Token

NOW = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)


def certificate(ends_in: timedelta, **more: object) -> OwnCertificate:
    values = {
        "code": ForecastCode.OWN_CERTIFICATE_EXPIRES,
        "tenant": "",
        "connector": "partner",
        "what": "the certificate of send connector partner",
        "file": "/etc/gatepost/partner.pem",
        "sha256": "aa" * 32,
        "subject": "CN=mail.contoso.com",
        "names": ("mail.contoso.com",),
        "not_after": NOW + ends_in,
        **more,
    }
    return OwnCertificate(**values)  # type: ignore[arg-type]


WITHOUT_RENEWAL = frozenset({Scope.READ, Scope.WRITE})


def token(
    ends_in: timedelta | None,
    used_ago: timedelta | None,
    scopes: frozenset[Scope] = WITHOUT_RENEWAL,
    **more: object,
) -> Token:
    return Token(
        id="0123456789ab",
        tenant="contoso",
        scopes=scopes,
        secret_sha256="",
        created_at=NOW - 80 * DAY,
        expires_at=None if ends_in is None else NOW + ends_in,
        used_at=None if used_ago is None else NOW - used_ago,
        **more,  # type: ignore[arg-type]
    )


@pytest.mark.parametrize(("ends_in", "says"), [(20 * DAY, "expires 2026-12-15"), (-DAY, "expired 2026-11-24")])
def test_a_certificate_is_told_of_in_its_last_thirty_days_and_after(ends_in: timedelta, says: str) -> None:
    (prospect,) = of_certificates([certificate(ends_in)], NOW)
    assert (prospect.code, prospect.connector) == (ForecastCode.OWN_CERTIFICATE_EXPIRES, "partner")
    assert says in prospect.says
    assert "mail.contoso.com" in prospect.says


def test_a_certificate_with_time_left_is_not_told_of() -> None:
    assert not list(of_certificates([certificate(31 * DAY)], NOW))


def test_a_tenant_is_told_of_no_file_of_the_server() -> None:
    (prospect,) = of_certificates([certificate(DAY, tenant="contoso")], NOW)
    assert "/etc" not in prospect.says + prospect.do


def test_a_renewed_certificate_that_is_kept_back_is_told_of_with_the_end_of_the_one_before() -> None:
    (prospect,) = of_certificates([certificate(60 * DAY, kept_back=True)], NOW)
    assert (prospect.code, prospect.due_at) == (ForecastCode.RENEWAL_STUCK, NOW + 60 * DAY)


def test_a_token_that_somebody_uses_is_told_of_and_no_other() -> None:
    used = [token(5 * DAY, DAY), token(-DAY, 2 * DAY)]
    others = [token(5 * DAY, None), token(40 * DAY, DAY), token(None, DAY), token(DAY, 31 * DAY)]
    found = list(of_tokens([*used, *others, token(DAY, DAY, revoked_at=NOW)], NOW))
    assert [each.due_at for each in found] == [NOW + 5 * DAY, NOW - DAY]
    assert {each.tenant for each in found} == {"contoso"}


def test_a_token_that_renews_itself_is_told_of_when_it_has_not() -> None:
    """It was made 80 days ago, and is renewed when a third of its life is left."""
    ends = [20 * DAY, 29 * DAY]
    found = [list(of_tokens([token(each, DAY, frozenset(Scope))], NOW)) for each in ends]
    assert [len(each) for each in found] == [1, 0]


def test_the_token_of_an_edge_is_told_of_with_what_stops_without_it() -> None:
    found = of_relay_token("0123456789ab", NOW - DAY, NOW)
    assert "expired" in found.says and "not presented" in found.says
