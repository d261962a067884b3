"""One diagnosis in a process of its own."""

import json
import subprocess
import sys


def asked(texts: dict[str, str]) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "gatepost.doctor.apart"]
    return subprocess.run(command, input=json.dumps(texts).encode(), capture_output=True, check=False)


def test_each_text_is_evidence_under_its_name() -> None:
    reply = "550 5.7.64 TenantAttribution; Relay Access Denied; certificate-expired"
    done = asked({"a bounce": reply, "nothing": "", "half a character": "\ud800"})
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["findings"][0]["rule"] == "relay-said-why"
    assert found["findings"][0]["evidence"][0]["source"] == "a bounce:1"


def test_it_holds_itself_to_its_limits() -> None:
    """What wants more memory than it may have ends with the process, and nothing else does."""
    eats = (
        "import sys, gatepost.doctor.reading as reading\n"
        "reading.read_octets = lambda *_: bytearray(2 * 1024**3)\n"
        "import gatepost.doctor.apart as apart; sys.exit(apart.main())"
    )
    done = subprocess.run([sys.executable, "-c", eats], input=b'{"x": "y"}', capture_output=True, check=False)
    assert done.returncode != 0 and b"MemoryError" in done.stderr
