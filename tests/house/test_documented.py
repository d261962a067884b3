"""What a user can set, call, read or be told stands in docs/; and every link there leads somewhere."""

import ast
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from gatepost import config
from gatepost.admin.forecast.forecast import ForecastCode
from gatepost.api.application import document
from gatepost.config.toml_reader import _Table
from gatepost.logs.event_log import level
from gatepost.queue.retry import RetrySettings
from gatepost.tenancy.reasons import ReasonCode
from gatepost.tenancy.tenant import DEFAULT_LIMITS

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "gatepost"
REFERENCE = ROOT / "docs" / "reference"

sys.path.insert(0, str(ROOT / "tools"))
import generate_api  # noqa: E402
import generate_commands  # noqa: E402
import generate_man  # noqa: E402


def _page(name: str) -> str:
    return (REFERENCE / name).read_text("utf-8")


@cache
def _every_call(file: Path) -> list[ast.Call]:
    return [node for node in ast.walk(ast.parse(file.read_text("utf-8"))) if isinstance(node, ast.Call)]


def _calls(file: Path, name: str) -> Iterator[ast.Call]:
    """Calls of the function or method `name` in a source file."""
    for call in _every_call(file):
        if name in (getattr(call.func, "id", None), getattr(call.func, "attr", None)):
            yield call


# --- settings --------------------------------------------------------------------------------------------------------


def _settings_example() -> str:
    return _page("settings.md").partition("## Every key")[2].partition("```toml\n")[2].partition("```")[0]


def _taken() -> Iterator[tuple[str, str, bool]]:
    """Every setting that is asked for while the example is read: its table, its key, and whether it is there."""
    found: list[tuple[str, str, bool]] = []
    take = _Table.take

    def watched(table: _Table, key: str, *rest: Any) -> Any:
        found.append((table._name, key, key in table._left))
        return take(table, key, *rest)

    with patch.object(_Table, "take", watched):
        config.parse(ROOT / "gatepost.toml", _settings_example())
    yield from found


@pytest.mark.parametrize("key", sorted({key for _, key, _ in _taken()}))
def test_every_setting_has_its_row(key: str) -> None:
    page = _page("settings.md")
    assert f"| `{key}` |" in page or re.search(rf"^#+ .*\b{key}\]+`$", page, re.MULTILINE), "docs/reference/settings.md"


def test_the_example_with_every_key_has_every_key_at_its_default() -> None:
    assert [f"{table}{key}" for table, key, is_there in _taken() if not is_there] == []
    found = config.parse(ROOT / "gatepost.toml", _settings_example())
    assert found.listeners[0].limits == config.ListenerLimits()
    assert found.api == config.HttpsConfig(host="127.0.0.1", port=8443)
    assert found.retry == RetrySettings()
    assert found.delivery == config.DeliveryConfig()
    assert found.tenant_limits == DEFAULT_LIMITS
    assert found.queue == config.QueueConfig()
    assert found.protocol_log == config.ProtocolLogConfig()
    assert found.sessions == config.SessionsConfig()
    assert found.verification_grace_days == config.Config.__dataclass_fields__["verification_grace_days"].default


# --- commands --------------------------------------------------------------------------------------------------------


def test_every_command_and_option_is_on_the_page_of_commands() -> None:
    page = generate_commands.page()
    assert page == generate_commands.PAGE.read_text("utf-8"), "run: python tools/generate_commands.py"
    assert generate_man.page() == generate_man.PAGE.read_text("utf-8"), "run: python tools/generate_man.py"


def test_every_command_and_option_says_what_it_is_for() -> None:
    page = generate_commands.page()
    assert "None" not in page
    assert "|  | required |" not in page


# --- the Management API ----------------------------------------------------------------------------------------------


def test_every_route_is_on_the_page_of_the_api() -> None:
    assert generate_api.page() == generate_api.PAGE.read_text("utf-8"), "run: python tools/generate_api.py"


def test_every_status_the_api_answers_with_is_on_its_page() -> None:
    statuses = {
        status
        for operations in document()["paths"].values()
        for operation in operations.values()
        for status in operation["responses"]
        if status[0] in "45"
    }
    assert {status for status in statuses if f"| {status} |" not in _page("api.md")} == set()


# --- replies ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Told:
    where: str
    head: str
    """`550 5.7.64`, or the code alone."""
    words: tuple[str, ...]
    """The fixed parts of the text."""


def _replies() -> Iterator[_Told]:
    for file in (
        SOURCE / "smtp" / "replies.py",
        SOURCE / "receiving" / "replies.py",
        SOURCE / "receiving/connection.py",
    ):
        for call in _calls(file, "reply"):
            if len(call.args) < 3 or not isinstance(call.args[0], ast.Constant):
                continue
            code, status, *texts = call.args
            assert isinstance(status, ast.Constant)
            head = f"{code.value} {str(code.value)[0]}.{status.value}" if status.value else str(code.value)
            yield _Told(f"{file.name}:{call.lineno}", head, _fixed_words(texts[0]))


def _fixed_words(text: ast.expr) -> tuple[str, ...]:
    parts = text.values if isinstance(text, ast.JoinedStr) else [text]
    return tuple(
        str(part.value).strip() for part in parts if isinstance(part, ast.Constant) and str(part.value).strip()
    )


def _refusals() -> Iterator[_Told]:
    for node in ast.walk(ast.parse((SOURCE / "tenancy" / "refusal.py").read_text("utf-8"))):
        if isinstance(node, ast.Tuple) and len(node.elts) == 3 and isinstance(node.elts[0], ast.Constant):
            code, status, title = (element.value for element in node.elts if isinstance(element, ast.Constant))
            yield _Told(f"refusal.py:{node.lineno}", f"{code} {str(code)[0]}.{status}", (str(title),))


@pytest.mark.parametrize("told", [*_replies(), *_refusals()], ids=lambda told: told.where)
def test_every_reply_is_on_the_page_of_replies(told: _Told) -> None:
    lines = [line for line in _page("replies.md").splitlines() if f"`{told.head}" in line]
    assert any(all(word in line for word in told.words) or "EHLO" in told.words[0] for line in lines), (
        f"docs/reference/replies.md says nothing of: {told.head} {' … '.join(told.words)}"
    )


# --- events ----------------------------------------------------------------------------------------------------------


def _events() -> Iterator[tuple[str, set[str]]]:
    for file in sorted(SOURCE.rglob("*.py")):
        if "emit" not in file.read_text("utf-8"):
            continue
        for call in _calls(file, "emit"):
            if call.args and isinstance(event := call.args[0], ast.Constant):
                yield str(event.value), {keyword.arg for keyword in call.keywords if keyword.arg}


@pytest.mark.parametrize(("event", "fields"), list(_events()))
def test_every_event_and_its_fields_are_on_the_page_of_events(event: str, fields: set[str]) -> None:
    row = next((line for line in _page("events.md").splitlines() if line.startswith(f"| `{event}` ")), "")
    assert row.startswith(f"| `{event}` | {level(event)} |"), "docs/reference/events.md"
    assert {field for field in fields if f"`{field}`" not in row} == set()


def test_no_event_is_told_of_that_is_never_written() -> None:
    told = set(re.findall(r"^\| `([a-z-]+)` \|", _page("events.md"), re.MULTILINE))
    assert told == {event for event, _ in _events()}


# --- reasons ---------------------------------------------------------------------------------------------------------


def test_every_reason_code_has_its_page_and_its_line_in_the_index() -> None:
    index = (ROOT / "docs" / "reasons" / "index.md").read_text("utf-8")
    for code in ReasonCode:
        assert (ROOT / "docs" / "reasons" / f"{code}.md").exists(), code
        assert f"[{code}]({code}.md)" in index, code


# --- links -----------------------------------------------------------------------------------------------------------

_LINK = re.compile(r"\[[^\]\n]*(?:\n[^\]\n]*)?\]\(([^)\s]+)\)")
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]


@pytest.mark.parametrize("page", PAGES, ids=[str(page.relative_to(ROOT)) for page in PAGES])
def test_every_link_leads_somewhere(page: Path) -> None:
    for target in _LINK.findall(_without_code(page.read_text("utf-8"))):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        linked = (page.parent / path).resolve() if path else page
        assert linked.exists(), f"{page.name} links to {target}"
        if anchor and linked.suffix == ".md":
            assert anchor in _anchors(linked), f"{page.name} links to {target}: there is no such heading"


def _without_code(text: str) -> str:
    return re.sub(r"```.*?```", "", text, flags=re.DOTALL)


def _anchors(page: Path) -> set[str]:
    """As GitHub makes them of headings."""
    headings = re.findall(r"^#+ +(.+)$", _without_code(page.read_text("utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


def test_every_page_can_be_reached_from_the_index() -> None:
    reached: set[Path] = set()
    waiting = [ROOT / "docs" / "README.md"]
    while waiting:
        page = waiting.pop()
        if page in reached or page.suffix != ".md":
            continue
        reached.add(page)
        targets = _LINK.findall(page.read_text("utf-8"))
        waiting += [(page.parent / each.partition("#")[0]).resolve() for each in targets if not each.startswith("http")]
    assert set((ROOT / "docs").rglob("*.md")) <= reached, "link it from a page that the index leads to"


# --- the forecast ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", ForecastCode)
def test_every_prospect_has_its_row(code: ForecastCode) -> None:
    assert f"| `{code}` |" in _page("forecast.md"), "docs/reference/forecast.md"
