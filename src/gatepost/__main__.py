"""The door: `gatepost …` and `python -m gatepost …`."""

import os
import sys
import warnings


def main() -> None:
    from gatepost.cli.main import run

    if not sys.warnoptions:
        # What libraries think of strangers' octets is for developers (python -W default); workers inherit the rule.
        warnings.simplefilter("ignore")
        os.environ["PYTHONWARNINGS"] = "ignore"
    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
