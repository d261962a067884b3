"""What is told before anything starts."""

import resource
import subprocess
import sys
from pathlib import Path

import pytest

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
