"""What nothing on this machine can exceed: tools without a server, the disk, the TLS library."""

import os
import subprocess
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from contestants import BY_ADDRESS, Certificates
from peers import DIES_WITH_US, PeerError, free_port, unpacked
from tools import Sink, limit, send

from gatepost.loadgen.load import Load

_MESSAGES_A_SECOND = 5000


def higher(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    """Of two measurements: what something else on the machine held down once was perhaps free another time."""
    tls = min(one["tls"], other["tls"], key=lambda each: each["server_cpu_ms"])
    return {name: tls if name == "tls" else max(one[name], other[name]) for name in one}


def ceilings(
    folder: Path, certificates: Certificates, sink: Sink, *, seconds: float, with_postfix: bool
) -> dict[str, Any]:
    """`seconds`: about how long each is looked at."""
    messages = int(_MESSAGES_A_SECOND * seconds)
    tls = (certificates.server, certificates.client)
    straight = Load(port=sink.port, messages=messages, connections=20, sender=BY_ADDRESS)
    return {
        "load_to_sink_new": send(replace(straight, per_connection=1)).per_second,
        "load_to_sink_reused": send(straight).per_second,
        **(_smtp_source(messages) if with_postfix else {}),
        "disk_syncs": limit(seconds, "syncs", str(folder))["per_second"],
        "tls": limit(seconds, "handshakes", *(str(file) for one in tls for file in (one.chain_file, one.key_file))),
    }


def _smtp_source(messages: int) -> dict[str, float]:
    """Postfix's own pair: a load generator and a sink, no disk between them."""
    files = unpacked("postfix")
    environment = {**os.environ, "LD_LIBRARY_PATH": f"{files}/usr/lib/postfix:{files}/usr/lib/x86_64-linux-gnu"}
    target = f"127.0.0.1:{free_port()}"
    sink = subprocess.Popen(
        [*DIES_WITH_US, str(files / "usr/sbin/smtp-sink"), "-u", "nobody", target, "1024"],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        time.sleep(0.5)
        source = [str(files / "usr/sbin/smtp-source"), "-s", "20", "-m", str(messages), "-l", "10240"]
        return {
            "smtp_source_to_sink_new": _rate(messages, [*source, target], environment),
            "smtp_source_to_sink_reused": _rate(messages, [*source, "-d", target], environment),
        }
    finally:
        sink.terminate()
        sink.wait()


def _rate(messages: int, command: list[str], environment: dict[str, str]) -> float:
    began = time.monotonic()
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
    if done.returncode:
        raise PeerError(f"smtp-source: {(done.stderr.splitlines() or ['no output'])[-1]}")
    return round(messages / (time.monotonic() - began), 1)
