"""`gatepost import exchange-online`: the plan says what the exports say, and nothing that goes without saying."""

import json
import subprocess
from pathlib import Path

from end_to_end import loaded_gatepost
from end_to_end.installation import PATIENCE_S


def gatepost(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return loaded_gatepost.run(*arguments, folder=folder, within_s=PATIENCE_S, COLUMNS="200")


def test_a_row_of_the_plan_holds_what_was_exported_alone(tmp_path: Path) -> None:
    exports = tmp_path / "exports"
    exports.mkdir()
    (exports / "domains.json").write_text(json.dumps([{"DomainName": "litware.com", "MatchSubDomains": True}]))
    connector = {"Name": "HQ", "ConnectorType": "OnPremises", "SenderIPAddresses": ["192.0.2.1"], "Comment": "the hub"}
    (exports / "inbound.json").write_text(json.dumps([connector]))
    for command in ("init --hostname relay.example.net", "tenant add fabrikam"):
        assert gatepost(tmp_path, *command.split()).returncode == 0
    planned = gatepost(tmp_path, "import", "exchange-online", "exports", "--tenant", "litware")
    rows = [line.split() for line in planned.stdout.splitlines() if line.startswith("add")]
    assert rows == [
        ["add", "tenant", "litware"],
        ["add", "domain", "litware.com", "match_subdomains", "yes"],
        [
            *[
                "add",
                "inbound-connector",
                "litware/HQ",
                "type",
                "on-premises,",
                "addresses",
                "192.0.2.1/32,",
                "comment",
                "the",
                "hub",
            ]
        ],
    ]
    assert "fabrikam" not in planned.stdout
    assert json.loads(gatepost(tmp_path, "tenant", "list", "--json").stdout)[0]["name"] == "fabrikam"
