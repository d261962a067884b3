"""`python -m gatepost.console FILE READY-FD LISTENER-FD` is how the supervisor starts the console; nobody else does."""

import sys

from gatepost.console.application import application
from gatepost.https.process import run

if __name__ == "__main__":
    sys.exit(run(sys.argv[1:], "console", lambda config: config.console, application))
