"""What journalctl finds of an entry in systemd's journal: a journald of its own, in a namespace with its own /run."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from peers import BUILD, DIES_WITH_US

JOURNALD = Path("/lib/systemd/systemd-journald")

# The journal's folder is in /run of the namespace; what was found goes out by standard output.
IN_ITS_OWN_RUN = """
mount -t tmpfs tmpfs /run && mkdir -p /run/systemd/journal /run/log/journal || exit 1
"$0" >&2 & journald=$!
while ! [ -S /run/systemd/journal/socket ]; do kill -0 $journald || exit 1; sleep 0.1; done
"$1" -c "$2" || exit 1
journalctl --directory /run/log/journal --sync 2>/dev/null; sleep 1
journalctl --directory /run/log/journal --no-pager --output json GATEPOST_SESSION=08DD34FA3086278D
journalctl --directory /run/log/journal --no-pager --output json --identifier gatepost --priority err
kill $journald
"""

LOGS = """
from gatepost.logs.event_log import EventLog
from gatepost.logs.log_writer import LogWriter
log = EventLog("journal", LogWriter(), worker=1)
log.emit("refused", session_id="08DD34FA3086278D", tenant="contoso", reply="550 5.7.64\\nPRIORITY=0")
log.emit("refused", session_id="08DD34FA3086278E", tenant="fabrikam", reply="550 5.7.64")
log.emit("queue-full", problem="x" * 500, tenant="contoso")
log.flush()
"""


@pytest.mark.skipif(not JOURNALD.exists(), reason="systemd-journald is not installed here")
def test_journalctl_finds_events_by_session_and_priority() -> None:
    BUILD.mkdir(exist_ok=True)
    apart = ("unshare", "--mount", "--propagation", "private", "--pid", "--fork", "--kill-child")
    command = [*DIES_WITH_US, *apart, "sh", "-c", IN_ITS_OWN_RUN, str(JOURNALD), sys.executable, LOGS]
    done = subprocess.run(command, stdout=subprocess.PIPE, env=os.environ, timeout=60)
    refused, full = [json.loads(line) for line in done.stdout.splitlines()]
    assert (refused["GATEPOST_EVENT"], refused["GATEPOST_TENANT"], refused["PRIORITY"]) == ("refused", "contoso", "6")
    assert refused["GATEPOST_REPLY"] == "550 5.7.64\nPRIORITY=0"
    assert (full["GATEPOST_EVENT"], full["PRIORITY"]) == ("queue-full", "3")
