"""Where something stands is one word in a report."""

from gatepost.exchange.source import Source


def test_a_source_is_printed_as_file_and_line() -> None:
    assert str(Source("SEND.log", 31)) == "SEND.log:31"
