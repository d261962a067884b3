"""Command lines: verbs, and what of a line may stand in a log."""

import pytest

from gatepost.smtp.command_line import LONGEST_LOGGED, CommandLine, logged, read_command_line


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (b"NOOP", CommandLine(b"NOOP", "")),
        (b"noop  hello \t", CommandLine(b"NOOP", "hello")),
        (b"QUIT\t", CommandLine(b"QUIT", "")),
        (b"", CommandLine(b"", "")),
        (b"NOOP \xff", CommandLine(b"NOOP", None)),
        (b"ma\xc4\xb1l", CommandLine(b"MA\xc4\xb1L", "")),
    ],
)
def test_a_line_is_verb_and_argument(line: bytes, expected: CommandLine) -> None:
    assert read_command_line(line) == expected


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (b"AUTH PLAIN AGFubgBzZWNyZXQ=", "AUTH PLAIN ****"),
        (b"auth  login  QW5u and more", "auth  login  ****"),
        (b" AUTH\tPLAIN\tAGFubgBzZWNyZXQ=", " AUTH\\tPLAIN\\t****"),
        (b"AUTH LOGIN", "AUTH LOGIN"),
        (b"AUTHOR x y", "AUTHOR x y"),
    ],
)
def test_credentials_are_masked(line: bytes, expected: str) -> None:
    assert logged(line) == expected


def test_a_log_line_holds_nothing_that_breaks_it() -> None:
    assert logged(b"NOOP \0\x1b[31m\xff\xc2\x85") == "NOOP \\x00\\x1b[31m\\xff\\x85"


def test_a_log_line_is_cut() -> None:
    assert logged(b"x" * (LONGEST_LOGGED + 1)) == "x" * LONGEST_LOGGED + "…"
