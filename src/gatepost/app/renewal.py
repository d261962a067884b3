"""`python -m gatepost.app.renewal gatepost.toml`: one look at a renewed certificate, as one JSON object.

The renewal watch of a worker starts it. What stood in the configuration file comes in by standard input, as the
worker has it.
"""

import json
import sys
from pathlib import Path

from gatepost.app.hybrid import installation
from gatepost.config import parse
from gatepost.hybrid.renewal import look

if __name__ == "__main__":
    config = parse(Path(sys.argv[1]), sys.stdin.read())
    print(json.dumps(look(installation(config), follow=config.hybrid.follow)))  # noqa: T201 - read by the watch
