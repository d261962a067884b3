"""How often what repeats is repeated: a few times in `make test`, as often as it is worth in `make soak`.

    @pytest.mark.soak
    @settings(max_examples=rounds(40, large=600), deadline=None)

Both run the same test, so nothing is checked by one alone. What is drawn for the small form is drawn by a fixed seed.
"""

import os
import random
from collections.abc import Sequence
from typing import TypeVar

LARGE = os.environ.get("GATEPOST_SOAK") == "1"

Case = TypeVar("Case")


def rounds(small: int, *, large: int) -> int:
    return large if LARGE else small


def some(cases: Sequence[Case], small: int, *, seed: object) -> list[Case]:
    """All of `cases` in `make soak`; elsewhere `small` of them, in their order, always the same for a seed."""
    if LARGE or len(cases) <= small:
        return list(cases)
    chosen = sorted(random.Random(str(seed)).sample(range(len(cases)), small))
    return [cases[at] for at in chosen]
