"""What is kept of another host's reply."""

from hypothesis import given
from hypothesis import strategies as st

from gatepost.mail.reply import MOST_KEPT_LINES, MOST_KEPT_OCTETS, RemoteReply, excerpt


def test_a_reply_of_a_usual_size_is_kept_as_it_came() -> None:
    reply = RemoteReply(550, "5.7.1", (*tuple(f"550-5.7.1 line {n}" for n in range(19)), "550 5.7.1 end"))
    assert reply.kept() is reply


def test_of_many_lines_the_first_and_the_last_are_kept_and_the_rest_is_said() -> None:
    kept = excerpt((*(f"550-{n}" for n in range(199)), "550 id-17"))
    assert len(kept) == MOST_KEPT_LINES
    assert kept[0] == "550-0"
    assert kept[-2:] == ("550-… 181 more lines", "550 id-17")


def test_of_a_long_line_the_beginning_is_kept_and_the_rest_is_said() -> None:
    (kept,) = excerpt(("550 " + "x" * 5092,))
    assert kept.startswith("550 xxx")
    assert kept.endswith("… 1,000 more octets")


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=9000), min_size=1, max_size=60))
def test_what_is_kept_is_bounded_in_lines_and_octets_and_keeps_the_last_line(texts: list[str]) -> None:
    lines = tuple(f"550-{text}" for text in texts)
    kept = excerpt(lines)
    assert len(kept) <= MOST_KEPT_LINES
    assert len("".join(kept).encode()) <= MOST_KEPT_OCTETS + 150, "a few words say what is missing"
    assert kept[-1][:60] == lines[-1][:60]
    assert excerpt(kept) == kept or len("".join(kept).encode()) > MOST_KEPT_OCTETS
