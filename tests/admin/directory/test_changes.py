"""A list is replaced, or added to and taken from, and nothing else of it changes."""

import pytest

from gatepost.admin.directory.changes import ListEdit, edited
from gatepost.errors import BadRequest, Named

STORED = ("a", "b")
NAME = Named(name="names", option="name")


@pytest.mark.parametrize(
    ("wish", "result"),
    [
        (["c", "c"], ("c",)),
        ([], ()),
        (ListEdit(add=["c"]), ("a", "b", "c")),
        (ListEdit(add=["a"]), STORED),
        (ListEdit(remove=["a"]), ("b",)),
        (ListEdit(add=["a"], remove=["a"]), ("b", "a")),
    ],
)
def test_what_a_list_becomes(wish: ListEdit | list[str], result: tuple[str, ...]) -> None:
    assert edited(STORED, wish, str, NAME) == result


def test_what_is_not_there_cannot_be_removed_and_what_is_there_is_named() -> None:
    with pytest.raises(BadRequest, match="--remove-name: x is not in the list; it contains: a, b"):
        edited(STORED, ListEdit(remove=["x"]), str, NAME)
