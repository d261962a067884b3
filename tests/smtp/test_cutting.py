"""The result never depends on how octets were cut into packets (the invariant of fuzz/cutting.py)."""

import importlib.util
import random
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from soak import rounds

_PROGRAM = Path(__file__).parents[2] / "fuzz" / "cutting.py"
_spec = importlib.util.spec_from_file_location("cutting", _PROGRAM)
assert _spec is not None and _spec.loader is not None
cutting = importlib.util.module_from_spec(_spec)
sys.modules["cutting"] = cutting
_spec.loader.exec_module(cutting)

_lines = st.sampled_from([*cutting.OPENINGS, *cutting.MAILS, *cutting.RCPTS, *cutting.OTHERS, b"DATA\r\n", b".\r\n"])
_content = st.sampled_from([*cutting.CONTENT, *cutting.TRAPS])
_chunks = st.builds(
    lambda size, last, octets: b"BDAT %d%s\r\n" % (size, last) + octets,
    st.integers(0, 400),
    st.sampled_from([b"", b" LAST", b" last "]),
    st.binary(max_size=60),
)
_writes = st.lists(st.one_of(_lines, _content, _chunks, st.binary(max_size=20)), max_size=25)


@given(_writes, st.booleans())
@pytest.mark.soak
@settings(max_examples=rounds(50, large=3000), deadline=None)
def test_any_octets_give_the_same_session_however_they_are_cut(writes: list[bytes], introduced: bool) -> None:
    opening = [b"EHLO client.example\r\n", cutting.MAILS[0], cutting.RCPTS[0]] if introduced else []
    cutting.play_every_way(opening + writes)


def test_random_dialogues_give_the_same_session_however_they_are_cut() -> None:
    rng = random.Random(20)
    for _ in range(1000):
        cutting.play_every_way(cutting.random_dialogue(rng))
