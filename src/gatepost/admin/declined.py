"""How a use case says no.

Law: a use case does the whole of what was asked, or raises `Declined` and has changed nothing. The text is one line for
the person who asked: what, where, and what to do.
"""


class Declined(Exception):
    """What was asked is not done."""


class No(Declined):
    """The answer is no: not found, not allowed, not yet."""


class WrongUse(Declined):
    """What was asked makes no sense as it was written."""
