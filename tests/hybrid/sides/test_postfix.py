"""Postfix on this machine as a side: its files are changed by its own programs, and put back to the octet."""

from pathlib import Path

import pytest

from gatepost.hybrid.errors import ApplyError
from gatepost.hybrid.plan import Change
from gatepost.hybrid.ports import Done
from gatepost.hybrid.sides.postfix import PostfixSide

PARAMETER = "main.cf default_transport"
WAY = {"value": "gatepost:[relay.example.net]:25"}


class Programs:
    """`postconf` and `postfix` as far as these tests use them; the real ones are in `interop`."""

    def __init__(self, folder: Path) -> None:
        self._main = folder / "main.cf"
        self.running = True
        self.reloads: list[int] = []
        self.reload_fails = False

    def __call__(self, *command: str) -> Done:
        program, where, _, *arguments = command
        assert where == "-c"
        if program == "postfix":
            if arguments == ["reload"]:
                self.reloads.append(1)
                return Done(exit_code=int(self.reload_fails), output="", errors="fatal: bad main.cf\n")
            return Done(exit_code=0 if self.running else 1, output="", errors="")
        return Done(exit_code=0, output=self._postconf(arguments), errors="")

    def _postconf(self, arguments: list[str]) -> str:
        lines = self._main.read_text().splitlines()
        match arguments:
            case ["-n"]:
                return "\n".join(line for line in lines if not line.startswith("#"))
            case ["-M"]:
                return "smtp       unix  -       -       n       -       -       smtp"
            case ["-e", setting]:
                self._main.write_text("\n".join([*lines, setting]) + "\n")
            case ["-X", name]:
                self._main.write_text("\n".join(line for line in lines if not line.startswith(f"{name} =")) + "\n")
        return ""


def change(before: dict[str, object] | None, after: dict[str, object] | None) -> Change:
    return Change(
        order=1, side="postfix", object=PARAMETER, action="update", before=before, after=after, why="", risk="none"
    )


@pytest.fixture
def programs(tmp_path: Path) -> Programs:
    (tmp_path / "main.cf").write_text("# by hand\nmyhostname = mail.contoso.com\n")
    return Programs(tmp_path)


@pytest.fixture
def side(tmp_path: Path, programs: Programs) -> PostfixSide:
    return PostfixSide(programs, tmp_path, tmp_path / "backup")


def test_a_change_is_made_and_postfix_reloads(side: PostfixSide, programs: Programs) -> None:
    side.write(change(None, WAY))
    assert side.read([PARAMETER]) == {PARAMETER: WAY}
    assert "master.cf smtp/unix" in side.everything()
    assert len(programs.reloads) == 1


def test_taking_it_back_restores_the_octets(side: PostfixSide, tmp_path: Path) -> None:
    before = (tmp_path / "main.cf").read_bytes()
    side.write(change(None, WAY))
    side.write(change(WAY, None))
    assert (tmp_path / "main.cf").read_bytes() == before


def test_of_a_file_that_was_edited_since_only_the_change_is_taken_back(side: PostfixSide, tmp_path: Path) -> None:
    side.write(change(None, WAY))
    with (tmp_path / "main.cf").open("a") as file:
        file.write("mynetworks = 10.0.0.0/8\n")
    side.write(change(WAY, None))
    assert (tmp_path / "main.cf").read_text() == ("# by hand\nmyhostname = mail.contoso.com\nmynetworks = 10.0.0.0/8\n")


def test_what_somebody_changed_meanwhile_is_left_alone(side: PostfixSide) -> None:
    side.write(change(None, {"value": "smtp"}))
    with pytest.raises(ApplyError, match="somebody else"):
        side.write(change(WAY, None))


def test_a_postfix_that_does_not_run_is_not_reloaded(side: PostfixSide, programs: Programs) -> None:
    programs.running = False
    side.write(change(None, WAY))
    assert programs.reloads == []


def test_a_reload_that_fails_is_told_in_postfix_own_words(side: PostfixSide, programs: Programs) -> None:
    programs.reload_fails = True
    with pytest.raises(ApplyError, match=r"fatal: bad main\.cf; reload it by hand"):
        side.write(change(None, WAY))
