"""Who looked at what is kept."""

from typing import Any

from gatepost.admin.people import people
from gatepost.tenancy.person import ActivityFilter


def test_what_was_looked_at_is_kept_and_what_was_not_found_is_not(console: Any, row: Any) -> None:
    item = row(tenant="contoso")
    console.trace(item)
    ann, fred = console.person("ann", "contoso"), console.person("fred", "fabrikam")
    assert ann.get(f"/trace/{item.id}").status_code == 200
    assert fred.get(f"/trace/{item.id}").status_code == 404
    with console.editor() as editor:
        found = people.activities(editor, ActivityFilter(), 10)
    looked = [(each.person, each.about, each.address) for each in found if each.what == "looked at"]
    assert looked == [("ann", f"message {item.id}", "192.0.2.1")]
