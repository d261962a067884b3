"""Why the wizard does not do what was asked."""

import pytest

from gatepost.hybrid import errors
from gatepost.hybrid.errors import HybridError


def _all(kind: type[HybridError]) -> list[type[HybridError]]:
    return [kind, *(each for below in kind.__subclasses__() for each in _all(below))]


@pytest.mark.parametrize("kind", _all(HybridError)[1:], ids=lambda kind: kind.__name__)
def test_each_error_is_drawn_and_says_whether_the_command_was_wrong(kind: type[HybridError]) -> None:
    assert f" {kind.__name__} " in (errors.__doc__ or "").replace("\n", " ")
    assert kind.wrong_use == (kind.__name__ in ("UnusableFile", "UnusablePlan", "NotPossible"))
