"""A Python that was built without optimization is known by how it was configured."""

from pathlib import Path
from platform import python_version

import pytest

from gatepost.app.interpreter import interpreter, is_optimized


@pytest.mark.parametrize(
    ("prefix", "arguments", "optimized"),
    [
        ("/usr", "'--enable-shared' '--prefix=/usr'", True),
        ("/usr/local", "'--enable-optimizations' '--with-lto'", True),
        ("/usr/local", "'--enable-shared'", False),
        ("/opt/python3.11", "", False),
    ],
)
def test_a_distributions_python_is_optimized_and_others_if_they_were_asked_to_be(
    prefix: str, arguments: str, optimized: bool
) -> None:
    assert is_optimized(Path(prefix), arguments) is optimized


def test_the_interpreter_is_the_one_that_runs() -> None:
    assert interpreter().version == python_version()
