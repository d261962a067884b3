"""What is told before anything starts."""

import resource
import subprocess
import sys
from pathlib import Path

import pytest

from gatepost.app import start_checks
from gatepost.config import read

CHECK = """
import resource, sys
from pathlib import Path
from gatepost.app.start_checks import check
from gatepost.config import read
hard = int(sys.argv[2])
resource.setrlimit(resource.RLIMIT_NOFILE, (100, hard))
print(*check(read(Path(sys.argv[1]))), sep="\\n")
assert resource.getrlimit(resource.RLIMIT_NOFILE) == (hard, hard)
"""


@pytest.mark.parametrize(("hard", "warned"), [(4000, False), (3000, True)])
def test_open_files_are_allowed_as_far_as_the_system_lets_and_too_few_are_told(
    tmp_path: Path, hard: int, warned: bool
) -> None:
    if resource.getrlimit(resource.RLIMIT_NOFILE)[1] < hard:
        pytest.skip("this system allows fewer open files than the test speaks of")
    file = tmp_path / "gatepost.toml"
    file.write_text(
        'hostname = "relay.example.net"\n[[listener]]\naddress = "127.0.0.1:2525"\n[listener.limits]\nsessions = 2000\n'
    )
    done = subprocess.run([sys.executable, "-c", CHECK, str(file), str(hard)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    says = "a worker may have 3000 files open, too few for the 2000 sessions that its listeners allow: set LimitNOFILE"
    assert (says in done.stdout) == warned


def test_a_provider_whose_secret_cannot_be_read_is_told_and_stops_nothing(tmp_path: Path) -> None:
    file = tmp_path / "gatepost.toml"
    file.write_text(
        'hostname = "relay.example.net"\n[tls]\ncertificate = "a.pem"\nkey = "a.key"\n'
        '[[listener]]\naddress = "127.0.0.1:2525"\n[console]\naddress = "127.0.0.1:8444"\n'
        '[[console.provider]]\nname = "acme"\nissuer = "https://login.example"\nclient_id = "x"\n'
        'client_secret_file = "acme.secret"\n'
    )
    config = read(file)
    (told,) = start_checks._providers_without_secret(config)
    assert told.startswith(f"nobody can sign in to the console with acme: its client_secret_file {tmp_path}")
    (tmp_path / "acme.secret").write_text("s\n")
    assert [*start_checks._providers_without_secret(config)] == []
