"""schemathesis reads the OpenAPI document and puts to the real server what it allows and what it does not.

Every answer must be one the document promises; nothing may be a server error; a request without token must be refused.
"""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from end_to_end.api_client import token_for
from end_to_end.installation import PATIENCE_S, Installation
from gatepost.api.application import document
from soak import rounds, some

CONFIGURED = """
[checks.positive_data_acceptance]
expected-statuses = ["2xx", "400", "401", "403", "404", "409", "429"]
"""
"""A cursor is any text by its schema, and 400 unless it was given for this list."""

ROUTES = 3
"""Of each caller, drawn by a fixed seed; all of them in `make soak`."""

EXAMPLES = rounds(2, large=40)
"""For each route."""


@pytest.fixture(scope="module")
def relay(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    folder = tmp_path_factory.mktemp("relay")
    relay = Installation(folder, api=True, workers=1, hostname="localhost", tables="[dns]\nnameservers = []")
    relay.init()
    for tenant in ("contoso", "fabrikam"):
        relay("tenant", "add", tenant)
        relay("domain", "add", tenant, f"{tenant}.com", "--verified")
        relay("inbound-connector", "add", tenant, "mail", "--certificate-name", f"mail.{tenant}.com")
    with relay.serving():
        yield relay


@pytest.mark.soak
@pytest.mark.timeout(rounds(120, large=3600))
@pytest.mark.parametrize("whose", [("--tenant", "contoso"), ("--operator",)], ids=["tenant", "operator"])
def test_schemathesis_finds_nothing(relay: Installation, tmp_path: Path, whose: tuple[str, ...]) -> None:
    token = token_for(relay, *whose)
    (tmp_path / "schemathesis.toml").write_text(CONFIGURED)
    routes = some(sorted(document()["paths"]), ROUTES, seed=whose)
    done = subprocess.run(
        [
            *(sys.executable, "-m", "schemathesis.cli", "run", f"{relay.api_url}/v1/openapi.json"),
            *("--header", f"Authorization: Bearer {token}"),
            *("--tls-verify", "false", "--max-examples", str(EXAMPLES), "--seed", "1", "--no-color"),
            *("--phases", "examples,coverage,fuzzing"),
            *(f"--include-path={route}" for route in routes),
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S * rounds(4, large=110),
    )
    assert done.returncode == 0, _told(done.stdout + done.stderr)


def _told(output: str) -> str:
    return re.sub(re.escape("Bearer ") + r"\S+", "Bearer …", output)[-8000:]
