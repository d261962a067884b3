"""What somebody pastes, a text for each file, and the finding that comes first."""

from textwrap import dedent

from gatepost.doctor.diagnosis import diagnose
from gatepost.doctor.finding import Finding
from gatepost.doctor.reading import Collection, read_octets


def first(**files: str) -> Finding | None:
    collection = Collection()
    for name, text in files.items():
        read_octets(f"{name}.txt", dedent(text).lstrip("\n").encode(), collection)
    findings = diagnose(collection.bundle()).findings
    return findings[0] if findings else None


def commands(finding: Finding) -> str:
    return "\n".join(fix.command for fix in finding.fix)
