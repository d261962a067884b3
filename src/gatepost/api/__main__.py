"""`python -m gatepost.api FILE READY-FD LISTENER-FD` is how the supervisor starts the API; nobody else does."""

import sys

from gatepost.api.application import application
from gatepost.https.process import run

if __name__ == "__main__":
    sys.exit(run(sys.argv[1:], "api", lambda config: config.api, application))
