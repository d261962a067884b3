"""The forecast: what stops working is told before it does, once for what it is, and not for what was mended."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from gatepost.admin.directory import domains, inbound_connectors, tenants
from gatepost.admin.forecast.forecast import ForecastCode, ForecastItem, Terms, forecast
from gatepost.store.directory.editor import SqliteDirectoryEditor as Editor
from gatepost.tenancy.attribution import Basis
from gatepost.tenancy.seen_server import SeenCertificate, SeenServer

NOW = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)
TERMS = Terms(grace=7 * DAY, claim=30 * DAY)
OLD = SeenCertificate(
    sha256="aa" * 32,
    subject="CN=mail.contoso.com",
    names=("mail.contoso.com",),
    issuer="CN=R12",
    not_before=NOW - 80 * DAY,
    not_after=NOW + 10 * DAY,
    anchor="CN=ISRG Root X1",
)
NEW = replace(OLD, sha256="bb" * 32, not_before=NOW - DAY, not_after=NOW + 89 * DAY)


def seen_server(
    certificate: SeenCertificate | None, address: str = "192.0.2.1", *, ago: timedelta = DAY, tenant: str = "contoso"
) -> SeenServer:
    basis = Basis.CERTIFICATE if certificate else Basis.ADDRESS
    return SeenServer(
        tenant=tenant,
        connector="mail",
        basis=basis,
        address=address,
        certificate=certificate,
        first_at=NOW - 60 * DAY,
        last_at=NOW - ago,
    )


@pytest.fixture
def furnished(editor: Editor) -> Editor:
    for tenant in ("contoso", "fabrikam"):
        domains.add(editor, tenant, f"{tenant}.com", match_subdomains=False, verified=True, at=NOW)
        wish = {"certificate_names": [f"mail.{tenant}.com"], "addresses": ["192.0.2.0/24"]}
        inbound_connectors.add(editor, tenant, "mail", wish)
    return editor


def told(editor: Editor, *seen: SeenServer, tenant: str | None = "contoso") -> list[ForecastItem]:
    return forecast(editor, seen, NOW, TERMS, tenant)


def codes(prospects: list[ForecastItem]) -> list[ForecastCode]:
    return [each.code for each in prospects]


def test_a_certificate_that_expires_within_thirty_days_is_told_with_its_servers(furnished: Editor) -> None:
    (prospect,) = told(furnished, seen_server(OLD), seen_server(OLD, "192.0.2.2"))
    assert prospect.code is ForecastCode.CERTIFICATE_EXPIRES
    assert prospect.due_at == OLD.not_after
    assert prospect.stage(NOW) == 14 * DAY
    assert "mail.contoso.com presented by 192.0.2.1, 192.0.2.2 expires 2026-12-05" in prospect.says


@pytest.mark.parametrize(("left", "stage"), [(31, None), (30, 30), (15, 30), (14, 14), (7, 7), (2, 7), (1, 1), (-1, 1)])
def test_stages_are_thirty_fourteen_seven_and_one_day(furnished: Editor, left: int, stage: int | None) -> None:
    found = told(furnished, seen_server(replace(OLD, not_after=NOW + left * DAY)))
    assert [each.stage(NOW) for each in found] == ([stage * DAY] if stage else [])


def test_a_certificate_that_its_server_replaced_is_no_prospect(furnished: Editor) -> None:
    assert not told(furnished, seen_server(OLD, ago=3 * DAY), seen_server(NEW, ago=DAY))


def test_a_server_that_was_forgotten_at_the_renewal_is_named(furnished: Editor) -> None:
    (prospect,) = told(furnished, seen_server(OLD, "192.0.2.2"), seen_server(NEW, "192.0.2.1"))
    assert prospect.code is ForecastCode.RENEWED_ELSEWHERE
    assert prospect.says.startswith("192.0.2.2 still presents mail.contoso.com that expires 2026-12-05")
    assert "copy the renewed certificate to 192.0.2.2" in prospect.do


def test_a_name_whose_domain_lost_its_record_is_told_with_the_end_of_its_grace(furnished: Editor) -> None:
    domain = furnished.accepted_domain("contoso.com", "contoso")
    assert domain
    furnished.put_domain(replace(domain, lost_at=NOW - 2 * DAY), "check")
    (prospect,) = told(furnished, seen_server(NEW))
    assert (prospect.code, prospect.due_at) == (ForecastCode.NAME_ABOUT_TO_BE_LOST, NOW + 5 * DAY)
    assert "gatepost domain verify contoso.com" in prospect.do


@pytest.mark.parametrize(
    ("anchor", "told_of"),
    [
        ("CN=DigiCert Global Root CA,OU=www.digicert.com", True),
        ("CN=Entrust Root Certification Authority - G2", True),
        ("CN=DigiCert Global Root G2,OU=www.digicert.com", False),
    ],
)
def test_a_root_that_is_distrusted_already_is_told_without_a_date(
    furnished: Editor, anchor: str, told_of: bool
) -> None:
    found = told(furnished, seen_server(replace(NEW, anchor=anchor)))
    assert [(each.code, each.due_at) for each in found] == [(ForecastCode.ISSUER_DISTRUSTED, None)] * told_of


def test_what_was_issued_before_a_distrust_is_good_until_it_expires(furnished: Editor) -> None:
    before = replace(NEW, anchor="CN=AffirmTrust Premium", not_before=datetime(2024, 11, 1, tzinfo=UTC))
    (prospect,) = told(furnished, seen_server(before))
    assert prospect.due_at == before.not_after


def test_a_connector_that_nothing_uses_is_told_when_sessions_go_back_far_enough(furnished: Editor) -> None:
    other = seen_server(NEW, tenant="fabrikam")
    assert codes(told(furnished, other)) == [ForecastCode.CONNECTOR_NEVER_USED]
    assert not told(furnished, replace(other, first_at=NOW - 6 * DAY))
    assert not told(furnished)


def test_a_server_known_by_address_alone_is_told(furnished: Editor) -> None:
    (prospect,) = told(furnished, seen_server(None))
    assert prospect.code is ForecastCode.ADDRESS_ONLY
    assert prospect.due_at is None
    assert not told(furnished, seen_server(None), seen_server(NEW, "192.0.2.2")), "its certificate counts too"


def test_a_network_wider_than_a_tenant_may_list_is_told(furnished: Editor) -> None:
    wish = {"addresses": ["192.0.2.0/24", "198.18.0.0/16"]}
    inbound_connectors.change(furnished, "contoso", "mail", wish)
    (prospect,) = told(furnished, seen_server(NEW))
    assert (prospect.code, prospect.subject, prospect.due_at) == (ForecastCode.WIDE_NETWORK, "198.18.0.0/16", None)
    tenants.change(furnished, "contoso", limits={"ipv4_prefix": 16})
    assert not told(furnished, seen_server(NEW))


def test_a_claim_is_told_a_week_before_it_lapses_and_no_mail_stops_by_it(furnished: Editor) -> None:
    for tenant, days in (("contoso", 24), ("fabrikam", 22)):
        added_at = NOW - days * DAY
        domains.add(furnished, tenant, "new.example", match_subdomains=False, verified=False, at=added_at)
    for tenant in ("contoso", None):
        (prospect,) = told(furnished, tenant=tenant)
        assert (prospect.code, prospect.tenant, prospect.subject) == (
            ForecastCode.CLAIM_LAPSES,
            "contoso",
            "new.example",
        )
        assert prospect.due_at is None and "on 2026-12-01 it is removed from contoso" in prospect.says
        assert prospect.about == "new.example"


def test_one_tenants_forecast_says_nothing_of_another(furnished: Editor) -> None:
    seen = [seen_server(OLD), seen_server(replace(OLD, sha256="cc" * 32, not_after=NOW + DAY), tenant="fabrikam")]
    assert {each.tenant for each in told(furnished, *seen)} == {"contoso"}
    assert [each.tenant for each in told(furnished, *seen, tenant=None)] == ["fabrikam", "contoso"], "nearest first"


def test_a_disabled_connector_has_no_future_to_tell(furnished: Editor) -> None:
    inbound_connectors.disable(furnished, "contoso", "mail")
    assert not told(furnished, seen_server(OLD))
