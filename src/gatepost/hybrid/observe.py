"""What a plan rests on: of all that is there, the objects that the set-up touches or leans on.

Law: an object nobody here cares about may change without making a plan useless.
"""

from collections.abc import Iterable, Mapping

from gatepost.hybrid.merge import Fields
from gatepost.hybrid.plan import DesiredObject, Objects


def relevant(desired: Iterable[DesiredObject], everything: Mapping[str, Mapping[str, Fields]]) -> Mapping[str, Objects]:
    """By side, each desired object as it is now; None where it does not exist."""
    found: dict[str, dict[str, Fields | None]] = {}
    for each in desired:
        now = everything.get(each.side, {}).get(each.object)
        found.setdefault(each.side, {})[each.object] = None if now is None else dict(now)
    return found
