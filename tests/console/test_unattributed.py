"""Refused mail by what was presented."""

from datetime import UTC, datetime
from typing import Any

from gatepost.admin.directory import domains, inbound_connectors
from gatepost.console.unattributed import grouped


def item(sha256: str | None, address: str, reason: str, mail_from: str = "ann@contoso.com") -> dict[str, Any]:
    certificate = {"sha256": sha256, "names": [], "verified": False} if sha256 else None
    return {"certificate": certificate, "address": address, "reason": reason, "mail_from": mail_from, "id": "x"}


def test_the_same_certificate_address_and_reason_are_one_line() -> None:
    items = [
        item("aa", "192.0.2.1", "expired", "a@one.example"),
        item(None, "192.0.2.1", "none"),
        item("aa", "192.0.2.1", "expired", "b@two.example"),
        item("aa", "192.0.2.2", "expired"),
    ]
    groups = grouped(items)
    assert [(group.address, len(group.items)) for group in groups] == [
        ("192.0.2.1", 2),
        ("192.0.2.1", 1),
        ("192.0.2.2", 1),
    ]
    assert (groups[0].newest, groups[0].oldest) == (items[0], items[2])
    assert groups[0].senders == ["one.example", "two.example"]


def test_of_many_senders_a_few_are_named_and_none_is_a_notification() -> None:
    (group,) = grouped([item(None, "a", "b", f"x@{n}.example") for n in range(9)])
    assert group.senders == ["0.example", "1.example", "2.example", "…"]
    assert grouped([item(None, "a", "b", "")])[0].senders == ["<>"]


def test_the_page_counts_what_was_refused(console: Any, row: Any) -> None:
    console.trace(*(row(refused=True, address="192.0.2.7") for _ in range(3)), row())
    olga = console.person("olga")
    page = olga.get("/unattributed").text
    assert 'class="number">3</td>' in page and "certificate-expired" in page
    assert "No mail was refused" in console.person("ann", "contoso").get("/unattributed").text
    assert olga.get("/unattributed?since=nonsense").status_code == 409


def test_who_it_could_be_is_asked_of_what_was_refused(console: Any, row: Any) -> None:
    with console.editor() as editor:
        for tenant in ("contoso", "fabrikam"):
            domains.add(
                editor,
                tenant,
                f"{tenant}.com",
                match_subdomains=False,
                verified=True,
                at=datetime(2020, 1, 1, tzinfo=UTC),
            )
        inbound_connectors.add(editor, "contoso", "mail", {"addresses": ["192.0.2.1"]}, enabled=False)
    refused, hers = row(refused=True, address="192.0.2.7"), row()
    theirs = row(refused=True, mail_from="fred@fabrikam.com", from_domain="fabrikam.com", certificate=None)
    console.trace(refused, hers, theirs)
    olga, ann = console.person("olga"), console.person("ann", "contoso")
    for who in (olga, ann):
        page = who.get(f"/unattributed/{refused.id}").text
        assert "Change inbound connector mail" in page and "connector=mail" in page and "enable=yes" in page
        assert "mail from the same address" not in page
        assert who.get(f"/unattributed/{hers.id}").status_code == 404
    assert "fabrikam" in olga.get(f"/unattributed/{theirs.id}").text
    assert ann.get(f"/unattributed/{theirs.id}").status_code == 404
    reader = console.person("rea", "contoso", "tenant-read")
    assert "may not change" in reader.get(f"/unattributed/{refused.id}").text


def test_where_nothing_points_to_anybody_the_page_says_so(console: Any, row: Any) -> None:
    refused = row(refused=True, address=None, certificate=None, mail_from="", from_domain="", by_stranger=True)
    console.trace(refused)
    assert "points to a tenant" in console.person("olga").get(f"/unattributed/{refused.id}").text
