"""One diagnosis in a process of its own, which may use so much time and memory: for evidence that strangers wrote.

    texts by name, as JSON on standard input ─▶ facts ─▶ the report, as JSON on standard output

Law: whatever the texts hold, nobody but this process suffers: it ends itself when it has used up what it may.
"""

import json
import resource
import sys
from collections.abc import Mapping
from typing import Any, Final

_SECONDS: Final = 20
"""Of processor time."""
_OCTETS: Final = 1024 * 1024 * 1024
"""Of address space; the rules alone take a quarter of it."""


def main() -> int:
    resource.setrlimit(resource.RLIMIT_CPU, (_SECONDS, _SECONDS))
    resource.setrlimit(resource.RLIMIT_AS, (_OCTETS, _OCTETS))
    json.dump(report_about(json.load(sys.stdin)), sys.stdout)
    return 0


def report_about(texts: Mapping[str, str]) -> dict[str, Any]:
    # Imported within the limits.
    from gatepost.doctor.diagnosis import diagnose
    from gatepost.doctor.reading import Collection, read_octets
    from gatepost.doctor.report import document

    collection = Collection()
    for name, text in texts.items():
        read_octets(name, text.encode("utf-8", "backslashreplace"), collection)
    return document(diagnose(collection.bundle()))


if __name__ == "__main__":
    sys.exit(main())
