"""Who looked at what, kept for whoever must answer for it."""

from datetime import UTC, datetime

from gatepost.admin.people import signing_in
from gatepost.console.visit import Visit


def looked_at(visit: Visit, about: str) -> None:
    person = visit.person
    with person.directory() as directory:
        signing_in.note(directory, person.name, visit.address, "looked at", about, datetime.now(UTC))
