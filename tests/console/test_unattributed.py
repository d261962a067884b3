"""Refused mail by what was presented."""

from typing import Any

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
    assert '<td class="number">3</td>' in page and "certificate-expired" in page
    assert "No mail was refused" in console.person("ann", "contoso").get("/unattributed").text
    assert olga.get("/unattributed?since=nonsense").status_code == 409
