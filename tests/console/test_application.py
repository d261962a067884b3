"""Every page is in the table of who may open it: `routes.toml`, which the end-to-end test walks."""

import tomllib
from pathlib import Path
from typing import Any

from gatepost.console.application import PAGES

ROUTES = tomllib.loads(Path(__file__).with_name("routes.toml").read_text("utf-8"))["route"]


def test_every_page_is_in_the_table_and_every_row_is_a_page() -> None:
    assert {(each.method, each.path) for each in PAGES} == {(each["method"], each["path"]) for each in ROUTES}


def test_no_page_stands_twice() -> None:
    assert len({(each.method, each.path) for each in PAGES}) == len(PAGES)


def test_our_files_need_nobody_to_sign_in(console: Any) -> None:
    for name, kind in (("console.css", "text/css"), ("htmx.min.js", "text/javascript"), ("icon.svg", "image/svg+xml")):
        answer = console.browser().get(f"/static/{name}")
        assert answer.status_code == 200 and answer.headers["content-type"].startswith(kind)
    assert console.browser().get("/static/../application.py").status_code == 404
