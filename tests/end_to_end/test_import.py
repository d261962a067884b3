"""`gatepost import directory` and `gatepost export directory` beside a relay that serves: 2,000 connectors, and a
neighbour who relays all the while."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from end_to_end.installation import Installation, wait_until
from end_to_end.load import Client, under_load
from end_to_end.outside import Outside
from end_to_end.scene import FABRIKAM_ADDRESS, MESSAGE, Certificates
from end_to_end.smtp_client import SmtpClient

TENANTS, CONNECTORS = 400, 5


@pytest.fixture
def relay(tmp_path: Path, certificates: Certificates) -> Installation:
    relay = Installation(tmp_path / "relay", client_roots=certificates.pki.roots_file)
    relay.init()
    relay("tenant", "add", "fabrikam-org")
    relay("domain", "add", "fabrikam-org", "fabrikam.com", "--verified")
    relay("inbound-connector", "add", "fabrikam-org", "office", "--address", FABRIKAM_ADDRESS)
    return relay


@pytest.fixture
def serving(relay: Installation) -> Iterator[Installation]:
    with Outside() as outside:
        sink = outside.sink()
        relay("send-connector", "set", "internet", "--smart-host", f"127.0.0.1:{sink.port}", "--tls", "none")
        with relay.serving():
            yield relay


def written(folder: Path) -> Path:
    lines: list[dict[str, object]] = [{"kind": "tenant", "name": f"tenant{number}"} for number in range(TENANTS)]
    lines.append({"kind": "tenant", "name": "contoso-org"})
    lines += [
        {"kind": "domain", "domain": f"tenant{number}.example", "tenant": f"tenant{number}", "verified": True}
        for number in range(TENANTS)
    ]
    lines.append({"kind": "domain", "domain": "contoso.com", "tenant": "contoso-org", "verified": True})
    names = [
        (f"tenant{number}", f"mx{each}.tenant{number}.example")
        for each in range(CONNECTORS)
        for number in range(TENANTS)
    ]
    names.append(("contoso-org", "mail.contoso.com"))
    lines += [
        {"kind": "inbound-connector", "tenant": tenant, "name": name, "certificate_names": [name]}
        for tenant, name in names
    ]
    file = folder / "directory.jsonl"
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return file


def relays(relay: Installation, certificates: Certificates) -> bool:
    with SmtpClient(relay.port) as smtp:
        smtp.starttls(certificates.contoso)
        return smtp.message("ann@contoso.com", "someone@outside.example", MESSAGE).code == 250


def test_an_import_is_live_on_running_workers_and_hinders_nobody(
    serving: Installation, certificates: Certificates, tmp_path: Path
) -> None:
    file = written(tmp_path)
    assert not relays(serving, certificates)
    neighbour = Client(name="ben", relay=serving, sender="ben@fabrikam.com", source=FABRIKAM_ADDRESS)
    with under_load(neighbour):
        wait_until(lambda: neighbour.acknowledged, "the neighbour's first message")
        told = serving.json("import", "directory", str(file))
        assert told["objects"]["inbound-connector"] == {"added": TENANTS * CONNECTORS + 1, "changed": 0, "unchanged": 0}
        assert told["warnings"] == []
        wait_until(lambda: relays(serving, certificates), "the imported connector to count")
    assert neighbour.refused == neighbour.broken == []


def test_a_round_trip_changes_nothing(relay: Installation, tmp_path: Path) -> None:
    told = relay.told("import", "directory", str(written(tmp_path)))
    first, second = tmp_path / "first.jsonl", tmp_path / "second.jsonl"
    relay("export", "directory", str(first))
    again = relay.told("import", "directory", str(first))
    assert again["directory_version"] == told["directory_version"]
    relay("export", "directory", str(second))
    assert first.read_text() == second.read_text()
    assert len(first.read_text().splitlines()) == 2 * TENANTS + TENANTS * CONNECTORS + 3 + 4


def test_a_bad_line_is_told_and_nothing_is_half_written(relay: Installation, tmp_path: Path) -> None:
    file = written(tmp_path)
    with file.open("a") as more:
        more.write('{"kind":"inbound-connector","tenant":"contoso-org","name":"two","addresses":["192.0.2.300"]}\n')
    number = len(file.read_text().splitlines())
    done = relay.here("import", "directory", str(file))
    assert done.returncode == 2
    # How far it is, is told when it takes long.
    assert [line for line in done.stderr.splitlines() if not line.endswith(" % of the file")] == [
        f"gatepost: {file}:{number}: '192.0.2.300' is not an address or network: write it as 192.0.2.10, 192.0.2.0/24 "
        "or 2001:db8::/48",
        "gatepost: nothing was changed; correct the file and import it again",
    ]
    assert [each["name"] for each in relay.told("tenant", "list")] == ["fabrikam-org"]


def test_a_file_that_is_not_there_and_one_that_is_in_the_way_are_one_line(relay: Installation, tmp_path: Path) -> None:
    missing = relay.here("import", "directory", str(tmp_path / "no.jsonl"))
    assert (missing.returncode, missing.stderr) == (2, f"gatepost: {tmp_path}/no.jsonl: No such file or directory\n")
    taken = tmp_path / "taken.jsonl"
    taken.write_text("dear\n")
    in_the_way = relay.here("export", "directory", str(taken))
    assert (in_the_way.returncode, in_the_way.stderr) == (2, f"gatepost: {taken}: File exists; name a new file\n")
    assert taken.read_text() == "dear\n"
