"""Values that are made with every message: equal where their fields are, and never changed once they are made.

`@value(frozen=True, slots=True, kw_only=True)` is `@dataclass` to the type checker, which finds every assignment to a
field. The interpreter is spared the guard: it costs a call for each field, so that to make a frozen value of six fields
takes at least two and a half times as long as one that is merely not changed, and a message is two dozen of them.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dataclasses import dataclass as value
else:
    from dataclasses import dataclass

    def value(*, frozen, slots, kw_only=False):
        return dataclass(slots=slots, kw_only=kw_only, unsafe_hash=frozen)


__all__ = ("value",)
