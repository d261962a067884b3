"""`gatepost bench load` against a relay that serves: what it counts is what the relay took, tenant by tenant."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from end_to_end.installation import Installation
from end_to_end.scene import Certificates, fabrikam_relays, furnished
from gatepost.loadgen.native import CompileError, load_generator


@pytest.fixture(scope="module")
def relay(tmp_path_factory: pytest.TempPathFactory, certificates: Certificates) -> Iterator[Installation]:
    try:
        load_generator()
    except CompileError as error:
        pytest.skip(str(error))
    with furnished(tmp_path_factory.mktemp("relay"), certificates) as relay:
        yield relay


@pytest.fixture(autouse=True)
def neighbour_is_unaffected(relay: Installation, certificates: Certificates) -> Iterator[None]:
    yield
    fabrikam_relays(relay, certificates)


def load(relay: Installation, certificates: Certificates, *words: str, expect: int = 0) -> Any:
    client = certificates.contoso
    presents = ("--certificate", str(client.chain_file), "--key", str(client.key_file))
    size = ("--messages", "60", "--connections", "6", "--size", "2000")
    return relay.told("bench", "load", f"127.0.0.1:{relay.port}", *size, *presents, *words, expect=expect)


@pytest.mark.parametrize(
    ("words", "connections"),
    [
        (("--per-connection", "1"), 60),
        (("--per-connection", "10"), 6),
        (("--recipients", "7", "--pipelining"), 6),
        (("--recipients", "3", "--tls", "1.2"), 6),
    ],
    ids=str,
)
def test_a_client_certificate_relays_over_new_and_kept_connections(
    relay: Installation, certificates: Certificates, words: tuple[str, ...], connections: int
) -> None:
    result = load(relay, certificates, *words)
    assert (result["accepted"], result["refused"], result["lost"], result["trouble"]) == (60, 0, 0, "")
    assert result["handshakes"] == result["connections"] >= connections
    assert 0 < result["latency_ms"]["p50"] <= result["latency_ms"]["p99"] <= result["latency_ms"]["max"]
    assert result["cpu_s"] > 0
    assert result["load"]["starttls"] is True


def test_a_rate_is_kept_whatever_the_relay_could_do(relay: Installation, certificates: Certificates) -> None:
    result = load(relay, certificates, "--rate", "100")
    assert result["seconds"] >= 59 / 100


def test_a_refusal_is_told_with_the_relays_own_words(relay: Installation, certificates: Certificates) -> None:
    result = load(relay, certificates, "--from", "load@contoso.com", "--to", "no address", expect=1)
    assert result["accepted"] == 0
    assert result["trouble"].startswith("501 ")


def test_a_person_reads_the_rate_and_what_the_generator_took(relay: Installation, certificates: Certificates) -> None:
    client = ("--certificate", str(certificates.contoso.chain_file), "--key", str(certificates.contoso.key_file))
    told = relay("bench", "load", f"127.0.0.1:{relay.port}", "--messages", "5", *client)
    assert [line.split("  ")[1] for line in told.splitlines()[1:]] == [
        "accepted",
        "rate",
        "250 after",
        "load took",
        "connections",
    ]


def test_a_person_reads_why_nothing_was_accepted(relay: Installation) -> None:
    done = relay.here("bench", "load", f"localhost:{relay.port}", "--messages", "5", "--connections", "2")
    assert done.returncode == 1
    assert "accepted     0 of 5" in done.stdout
    assert "550 5.7.64 TenantAttribution; Relay Access Denied" in done.stdout


@pytest.mark.parametrize("host", ["192.0.2.10", "[2001:db8::25]:2525"])
def test_another_host_is_left_alone_unless_it_is_named_as_ones_own(relay: Installation, host: str) -> None:
    address = host.partition("]")[0].lstrip("[")
    for owned in ((), ("--i-own-this-host", "192.0.2.11")):
        done = relay.here("bench", "load", host, *owned)
        assert done.returncode == 2
        assert f"{address} is not this machine" in done.stderr
        assert f"--i-own-this-host {address}" in done.stderr


def _without_compiler(folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "gatepost", "bench", "load", "127.0.0.1:1", "--messages", "1"]
    nothing = {"PATH": str(folder), "XDG_CACHE_HOME": str(folder / "cache")}
    return subprocess.run(command, env={**nothing, **environment}, capture_output=True, text=True)


def test_a_missing_compiler_or_header_is_one_line(tmp_path: Path) -> None:
    done = _without_compiler(tmp_path)
    assert done.returncode == 2
    assert done.stderr == ("gatepost: no C compiler: install one (Debian: apt-get install gcc libc6-dev libssl-dev)\n")
    compiler = tmp_path / "cc"
    compiler.write_text("#!/bin/sh\necho 'load.c:1:10: fatal error: openssl/ssl.h: No such file' >&2\nexit 1\n")
    compiler.chmod(0o755)
    done = _without_compiler(tmp_path)
    assert done.returncode == 2
    assert done.stderr == "gatepost: OpenSSL's headers are missing (Debian: apt-get install libssl-dev)\n"
    assert list((tmp_path / "cache" / "gatepost").iterdir()) == []
