"""A directory file with two tenants: in every test there is somebody else."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gatepost.admin.directory import tenants
from gatepost.store.directory.editor import SqliteDirectoryEditor

AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.fixture
def at() -> datetime:
    return AT


@pytest.fixture
def editor(tmp_path: Path) -> Iterator[SqliteDirectoryEditor]:
    editor = SqliteDirectoryEditor(tmp_path / "directory.sqlite", who="tester", clock=lambda: AT)
    tenants.add(editor, "contoso", AT)
    tenants.add(editor, "fabrikam", AT)
    yield editor
    editor.close()
