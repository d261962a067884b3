"""What a folder shows of a relay, whether it runs or not."""

from pathlib import Path

from end_to_end.installation import Installation
from gatepost.app.status import relay_status


def test_a_relay_that_never_ran_is_not_running_and_shows_what_there_is(tmp_path: Path) -> None:
    relay = Installation(tmp_path)
    relay.init()
    for tenant in ("contoso", "fabrikam"):
        relay("tenant", "add", tenant)
    found = relay_status(relay.settings)
    assert [each["code"] for each in found["problems"]] == ["not-running"]
    assert (found["workers"], found["queue"]["recipients"]) == ([], 0)
    assert found["certificates"] and found["store"]["disk_free_bytes"] > 0
