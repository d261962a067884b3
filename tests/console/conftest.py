"""The console's application without a relay beside it: its directory and its trace are files of the test."""

import asyncio
import re
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache, partial
from pathlib import Path
from typing import Any

import httpx
import pytest
from argon2 import profiles

from contracts.trace_store_contract import received
from gatepost import config as configuration
from gatepost.admin.directory import tenants
from gatepost.admin.people import people
from gatepost.app import open_editor
from gatepost.config import Config
from gatepost.console import doors
from gatepost.console.application import application
from gatepost.console.passwords import Argon2Passwords
from gatepost.store.trace.writer import Retention, SqliteTraceWriter
from gatepost.trace.story import Received

FAST_PASSWORDS = cache(partial(Argon2Passwords, profiles.CHEAPEST))
PASSWORD = "correct horse battery staple"
CONSOLE = "https://console.example"


class Browser:
    """It keeps cookies, follows nothing by itself, and comes from `address`."""

    def __init__(self, app: Any, address: str) -> None:
        transport = httpx.ASGITransport(app, client=(address, 40000))
        self._client = httpx.AsyncClient(transport=transport, base_url=CONSOLE)

    @property
    def cookies(self) -> httpx.Cookies:
        return self._client.cookies

    def get(self, path: str) -> httpx.Response:
        return asyncio.run(self._client.get(path))

    def submit(self, path: str, /, _headers: dict[str, str] | None = None, **fields: str) -> httpx.Response:
        return asyncio.run(self._client.post(path, data=fields, headers=_headers or {"Origin": CONSOLE}))

    def csrf(self) -> str:
        found = re.search(r'name="csrf" value="([0-9a-f]+)"', self.get("/nowhere").text)
        assert found, "a page for people has a form to sign out"
        return found[1]


class Console:
    def __init__(self, config: Config) -> None:
        assert config.console is not None
        self.config = config
        self.app = application(config, config.console)

    def with_settings(self, **settings: Any) -> "Console":
        assert self.config.console is not None
        return Console(replace(self.config, console=replace(self.config.console, **settings)))

    def browser(self, address: str = "192.0.2.1") -> Browser:
        return Browser(self.app, address)

    def editor(self) -> Any:
        return closing(open_editor(self.config, "tester"))

    def link(self, name: str, tenant: str | None = None, role: str | None = None) -> str:
        """The secret of a new person's."""
        with self.editor() as editor:
            return people.add(editor, name, tenant, role, datetime.now(UTC))[1]

    def person(self, name: str, tenant: str | None = None, role: str | None = None) -> Browser:
        browser = self.browser()
        answer = browser.submit("/link", token=self.link(name, tenant, role), password=PASSWORD)
        assert answer.status_code == 303, answer.text
        return browser

    def trace(self, *rows: Received) -> None:
        writer = SqliteTraceWriter(self.config.trace_folder, 0, Retention(max_age_s=0, max_octets=0), time.time)
        for each in rows:
            writer.write("strangers" if each.tenant is None else "tenants", [each])
        writer.close()


@pytest.fixture(autouse=True)
def fast_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    """That hashing takes long is a test of its own; here people sign in by the hundred."""
    monkeypatch.setattr(doors, "_passwords", FAST_PASSWORDS)


@pytest.fixture
def console(tmp_path: Path) -> Iterator[Console]:
    config = configuration.parse(
        tmp_path / "gatepost.toml",
        """
        hostname = "relay.example.net"
        [tls]
        certificate = "server.pem"
        key = "server.key"
        [[listener]]
        address = "127.0.0.1:2525"
        [console]
        address = "127.0.0.1:8444"
        """,
    )
    console = Console(config)
    for folder in config.folders:
        folder.mkdir(parents=True, exist_ok=True)
    with console.editor() as editor:
        tenants.add(editor, "contoso", datetime.now(UTC))
        tenants.add(editor, "fabrikam", datetime.now(UTC))
    yield console


@pytest.fixture
def row() -> Any:
    """A row of the trace, of now."""
    return lambda **said: received(at=time.time(), **said)
