"""A list is replaced, or added to and taken from, and nothing else of it changes."""

import pytest

from gatepost.admin.directory.list_edit import ListEdit, edited
from gatepost.admin.refusal import BadRequest

STORED = ("a", "b")


@pytest.mark.parametrize(
    ("wish", "result"),
    [
        (None, STORED),
        (["c", "c"], ("c",)),
        ([], ()),
        (ListEdit(add=["c"]), ("a", "b", "c")),
        (ListEdit(add=["a"]), STORED),
        (ListEdit(remove=["a"]), ("b",)),
        (ListEdit(add=["a"], remove=["a"]), ("b", "a")),
    ],
)
def test_what_a_list_becomes(wish: ListEdit | list[str] | None, result: tuple[str, ...]) -> None:
    assert edited(STORED, wish, str, "name") == result


def test_what_is_not_there_cannot_be_removed_and_what_is_there_is_named() -> None:
    with pytest.raises(BadRequest, match="--remove-name: x is not there; there is: a, b"):
        edited(STORED, ListEdit(remove=["x"]), str, "name")
