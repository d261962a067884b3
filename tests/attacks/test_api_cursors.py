"""A tenant sends cursors, numbers and texts that it made up, in every parameter the OpenAPI document has."""

import base64
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import httpx
import pytest

from end_to_end.api_client import Api, code_of, token_for
from end_to_end.installation import Installation
from end_to_end.test_api_fuzz import CONFIGURED
from gatepost.api.application import document
from soak import some


def _encoded(octets: bytes) -> str:
    return base64.urlsafe_b64encode(octets).decode().rstrip("=")


CURSORS = [
    "%",
    "A",
    "=",
    "....",
    "é",
    _encoded(b""),
    _encoded(b"1"),
    _encoded(b"\xff\xfe"),
    *(_encoded(str(number).encode()) for number in (2**63, 2**64, 10**300, -1)),
    _encoded("٣".encode()),
    _encoded(b"' OR 1=1 --"),
    _encoded(b"contoso/../fabrikam\x00"),
]
HOSTILE = [
    *("", "0", "-1", "1e9", "NaN", "Infinity", "٣", "0x10", "1_000"),
    *(str(number) for number in (2**31, 2**62, 2**63, 2**64, 10**40)),
    *("..", "a/b", "\x00", "\x1b[31m", "\ud7ff", "'", '"', "%", "*", "x" * 5000, "9" * 19 + "d", "1" * 19 + "w"),
    *("0-" + "9" * 30, "9" * 20 + "-1", "0-99999999999999"),
]


@pytest.fixture(scope="module")
def relay(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    relay = Installation(
        tmp_path_factory.mktemp("relay"), api=True, workers=1, hostname="localhost", tables="[dns]\nnameservers = []"
    )
    relay.init()
    for tenant in ("contoso", "fabrikam"):
        relay("tenant", "add", tenant)
        for number in range(3):
            relay("domain", "add", tenant, f"{tenant}{number}.com", "--verified")
            relay("inbound-connector", "add", tenant, f"mail{number}", "--address", "192.0.2.1")
    with relay.serving():
        yield relay
        # What a client makes up is no fault of ours.
        assert re.findall(r"gatepost: api: .*", relay.output) == []


@cache
def _parameters() -> list[tuple[str, str]]:
    """Each route that reads, and a parameter of its query."""
    return [
        (path, each["name"])
        for path, operations in document()["paths"].items()
        for each in operations.get("get", {}).get("parameters", [])
        if each["in"] == "query"
    ]


def _ask(api: Api, path: str, **query: Any) -> httpx.Response:
    return api.get(re.sub(r"{(\w+)}", lambda found: {"tenant": "contoso"}.get(found[1], "1"), path), params=query)


@pytest.mark.parametrize("path", sorted({path for path, name in _parameters() if name == "cursor"}))
def test_a_cursor_that_was_not_given_is_refused(contoso: Api, operator: Api, path: str) -> None:
    for api in (contoso, operator):
        if _ask(api, path).status_code == 403:
            continue
        for cursor in CURSORS:
            answer = _ask(api, path, cursor=cursor)
            assert (answer.status_code, code_of(answer)) == (400, "bad-cursor"), cursor


def test_a_cursor_opens_the_list_it_was_given_for_and_no_other(contoso: Api, fabrikam: Api, operator: Api) -> None:
    paths = ["domains", "inbound-connectors", "audit"]
    given = {
        (tenant, path): api.get(f"/v1/tenants/{tenant}/{path}", params={"limit": 1}).json()["next"]
        for tenant, api in (("contoso", contoso), ("fabrikam", fabrikam))
        for path in paths
    }
    assert all(given.values())
    for (tenant, path), cursor in given.items():
        for asked in paths:
            answer = contoso.get(f"/v1/tenants/contoso/{asked}", params={"cursor": cursor})
            own = (tenant, path) == ("contoso", asked)
            assert answer.status_code == (200 if own else 400), (tenant, path, asked)
            assert own or code_of(answer) == "bad-cursor"
        assert operator.get(f"/v1/{path}", params={"cursor": cursor}).status_code == 400


@pytest.mark.parametrize("name", ["日" * 64, "x" * 64])
def test_the_cursor_behind_the_longest_name_can_be_used(relay: Installation, operator: Api, name: str) -> None:
    for each in (name, f"{name[:-1]}z"):
        assert operator.put(f"/v1/tenants/{each}", json={}).status_code in (200, 201)
        body = {"addresses": ["192.0.2.1"]}
        assert operator.put(f"/v1/tenants/{each}/inbound-connectors/{name}", json=body).status_code in (200, 201)
    for path in ("/v1/tenants", "/v1/inbound-connectors"):
        seen, cursor = [], None
        while True:
            page = operator.get(path, params={"limit": 1, **({"cursor": cursor} if cursor else {})}).json()
            seen += page["items"]
            cursor = page["next"]
            if cursor is None:
                break
        assert len(seen) == len({(each.get("tenant"), each["name"]) for each in seen}) > 2


def test_a_page_ends_before_it_is_too_large(operator: Api) -> None:
    names = [f"n{number:03}.{'x' * 50}.example" for number in range(480)]
    body = {"certificate_names": names, "enabled": False}
    for number in range(60):
        path = f"/v1/tenants/fabrikam/inbound-connectors/large{number}"
        if operator.put(path, json=body).status_code not in (200, 201):
            # A tenant may not have so many names: then no page can be too large by them.
            break
    answer = operator.get("/v1/tenants/fabrikam/inbound-connectors", params={"limit": 500})
    assert len(answer.content) < 1_300_000


@pytest.mark.soak
@pytest.mark.parametrize(("path", "name"), _parameters())
def test_no_value_of_a_parameter_is_a_fault_of_the_relay(contoso: Api, operator: Api, path: str, name: str) -> None:
    for api in (contoso, operator):
        for value in some(HOSTILE, 5, seed=(path, name)):
            answer = _ask(api, path, **{name: value})
            assert answer.status_code < 500, (value, answer.text)
            if answer.status_code >= 400:
                code_of(answer)


@cache
def _paths_with_names() -> list[str]:
    return [path for path, operations in document()["paths"].items() if "get" in operations and "{" in path]


@pytest.mark.soak
@pytest.mark.parametrize("segment", HOSTILE)
def test_no_segment_of_a_path_is_a_fault_of_the_relay(contoso: Api, operator: Api, segment: str) -> None:
    quoted = "".join(f"%{octet:02X}" for octet in segment.encode())
    for path in some(_paths_with_names(), 4, seed=segment):
        for api in (contoso, operator):
            answer = api.get(re.sub(r"{\w+}", quoted, path))
            assert answer.status_code < 500, (path, answer.text)


@pytest.mark.attack
@pytest.mark.timeout(3600)  # Of a busy machine; what it shows is no speed.
@pytest.mark.parametrize("whose", [("--tenant", "contoso"), ("--operator",)], ids=["tenant", "operator"])
def test_schemathesis_finds_nothing_in_thousands_of_requests(
    relay: Installation, tmp_path: Path, whose: tuple[str, ...]
) -> None:
    (tmp_path / "schemathesis.toml").write_text(CONFIGURED)
    done = subprocess.run(
        [
            *(sys.executable, "-m", "schemathesis.cli", "run", f"{relay.api_url}/v1/openapi.json"),
            *("--header", f"Authorization: Bearer {token_for(relay, *whose)}"),
            *("--tls-verify", "false", "--max-examples", "20", "--no-color"),
            *("--phases", "examples,coverage,fuzzing"),
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, re.sub(r"Bearer \S+", "Bearer …", done.stdout + done.stderr)[-8000:]
