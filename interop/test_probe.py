"""`gatepost probe` sees of a real Postfix and of a real Gatepost what their own logs and `openssl s_client` say."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from receivers import PostfixReceiver
from world import World

SOURCE = Path(__file__).parents[1] / "src"


def gatepost(*arguments: object) -> Any:
    done = subprocess.run(
        [sys.executable, "-m", "gatepost", *map(str, arguments), "--json"],
        env={**os.environ, "PYTHONPATH": str(SOURCE)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode in (0, 1), done.stderr
    return json.loads(done.stdout)


def presenting(world: World, state: str) -> tuple[object, ...]:
    found = world.states[state]
    return ("--certificate", found.chain, "--key", found.key) if found.chain else ()


def test_a_postfix_asks_for_the_certificate_and_takes_the_recipient(
    world: World, postfix_receiver: PostfixReceiver
) -> None:
    port = postfix_receiver.ports["bdat-tls"]
    envelope = ("--mail-from", "ann@contoso.com", "--rcpt-to", "someone@outside.example")
    seen = gatepost("probe", f"127.0.0.1:{port}", *presenting(world, "good"), *envelope)
    assert seen["verdict"] == "accepted"
    own = seen["certificate"]
    assert (own["presented"], own["requested"], own["sent"]) == (True, True, True)
    assert seen["tls"]["chain"][0]["names"] == ["receiver.example.org"]
    assert "PIPELINING" in seen["ehlo"] and "STARTTLS" in seen["ehlo"] and "STARTTLS" not in seen["ehlo_after_tls"]
    assert [each["stage"] for each in seen["stages"]][-2:] == ["rset", "quit"], "no content is sent"


def test_a_postfix_without_tls_is_told_of(postfix_receiver: PostfixReceiver) -> None:
    seen = gatepost("probe", f"127.0.0.1:{postfix_receiver.ports['bdat-plain']}")
    assert not seen["starttls"]
    assert any("STARTTLS" in problem for problem in seen["problems"])


@pytest.mark.parametrize(("state", "cause"), [("expired", "C03"), ("good", None)])
def test_the_doctor_names_what_the_relay_has_against_a_certificate(world: World, state: str, cause: str | None) -> None:
    envelope = ("--mail-from", "ann@contoso.com", "--rcpt-to", "someone@outside.example")
    told = gatepost("doctor", "--probe", f"127.0.0.1:{world.port}", *presenting(world, state), *envelope)
    named = [each["catalogue"] for each in told["findings"] if each["confidence"] == "high"]
    assert named == ([[cause]] if cause else [])


def test_s_client_sees_the_same_chain(world: World) -> None:
    """And what it prints is evidence that the doctor reads."""
    done = subprocess.run(
        ["openssl", "s_client", "-starttls", "smtp", "-connect", f"127.0.0.1:{world.port}", "-showcerts"],
        input="QUIT\n",
        capture_output=True,
        text=True,
        timeout=60,
    )
    seen = gatepost("probe", f"127.0.0.1:{world.port}")
    from gatepost.doctor.reading import read_text

    told = {each.sha256.lower() for each in read_text(done.stdout).certificates if each.sha256}
    assert {each["sha256"] for each in seen["tls"]["chain"]} <= told
