"""Large logs are surveyed: every session is counted, the telling ones are read whole and keep their line numbers."""

import random
import sys
from itertools import count
from pathlib import Path

import pytest

from gatepost.doctor import reading
from gatepost.doctor.reading import read_files

sys.path.append(str(Path(__file__).parents[2] / "bench"))


@pytest.fixture
def log(tmp_path, monkeypatch):
    from doctor_logs import HEADER, rows

    monkeypatch.setattr(reading, "LARGEST_WHOLE", 100_000)
    monkeypatch.setattr("gatepost.doctor.readers.large_logs._BLOCK", 50_000)
    path = tmp_path / "SEND.log"
    path.write_text(HEADER.replace("\r\n", "\n") + "".join(f"{row}\n" for row in rows(random.Random(7), 400_000)))
    return path


def test_every_session_is_counted_and_the_addresses_are_told_apart(log):
    bundle = read_files([log])
    sessions = sum(",+,," in line for line in log.read_text().split("\n"))
    assert sum(each.sessions for each in bundle.populations) == sessions
    refused = {each.hello_address for each in bundle.populations if each.outcome.startswith("550")}
    accepted = {each.hello_address for each in bundle.populations if each.outcome == "accepted"}
    assert refused == {"198.51.100.121"}
    assert accepted == {"198.51.100.17", "198.51.100.18"}
    assert {each.thumbprint[:2] for each in bundle.populations} == {"A0", "6F"}


def test_sampled_sessions_are_whole_and_point_at_their_lines(log):
    bundle = read_files([log])
    lines = log.read_text().split("\n")
    assert bundle.replies
    for reply in bundle.replies:
        assert reply.quote[:60] in lines[reply.source.line - 1]
        assert reply.session_id in lines[reply.source.line - 1]
        assert reply.reverse_path
    for session in bundle.sessions:
        assert session.sent_certificate.thumbprint
        assert session.ended == "Local"


def test_a_large_text_of_another_kind_is_cut_down_to_what_could_matter(tmp_path, monkeypatch):
    monkeypatch.setattr(reading, "LARGEST_WHOLE", 10_000)
    path = tmp_path / "maillog"
    numbers = count(1)
    filler = "".join(f"Jun  9 08:00:02 gw postfix/qmgr[1]: removed {next(numbers)}\n" for _ in range(1000))
    path.write_text(
        filler + "Jun  9 08:00:02 gw postfix/smtp[9]: C2D4E80123: to=<a@far.example>, relay=r.example[192.0.2.80]:25, "
        "delay=1, dsn=5.7.64, status=bounced (host r.example[192.0.2.80] said: 550 5.7.64 x "
        "(in reply to RCPT TO command))\n" + filler
    )
    (reply,) = read_files([path]).replies
    assert (reply.enhanced, reply.source.line) == ("5.7.64", 1001)
