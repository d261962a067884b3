"""The process of the alarms says when it works, and ends with whoever started it."""

import os
import subprocess
import sys
from pathlib import Path

from end_to_end.installation import Installation, wait_until

STARTS_IT = """
import os, sys
from pathlib import Path
from gatepost import config
from gatepost.app.alarming.process import main
if os.fork() == 0:
    main(config.read(Path(sys.argv[1])), [], [int(sys.argv[2])])
    os._exit(0)
sys.stdin.read()
"""


def test_it_works_until_its_parent_ends(tmp_path: Path) -> None:
    relay = Installation(tmp_path, tables='[alarm]\nmail = "ops@example.net"\n')
    relay.init()
    ready, says_ready = os.pipe()
    command = [sys.executable, "-c", STARTS_IT, str(relay.config), str(says_ready)]
    parent = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, pass_fds=[says_ready])
    os.close(says_ready)
    assert os.read(ready, 1) == b"1"
    wait_until(relay.settings.alarms_file.exists, "the first look")
    parent.communicate()
    # Its end of the pipe of standard output is closed too: `communicate` has waited for it.
    assert os.read(ready, 1) == b""
