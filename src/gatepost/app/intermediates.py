"""What verified chains have shown of intermediates, as judges ask for it and the store keeps it."""

from collections.abc import Sequence

from gatepost.config import Config
from gatepost.logs.intermediates import IntermediateLog, Row, StoredIntermediates
from gatepost.logs.log_writer import LogWriter
from gatepost.net.intermediates import Authority, Intermediate, KnownIntermediates, bounded


class _Stored:
    """`net.intermediates.Stored`."""

    def __init__(self, stored: StoredIntermediates) -> None:
        self._stored = stored

    def changed(self) -> Sequence[Intermediate] | None:
        rows = self._stored.changed()
        return None if rows is None else list(map(_intermediate, rows))


def known_intermediates(config: Config, writer: LogWriter | None = None) -> KnownIntermediates:
    """With the writer of a worker, which learns; without, for whoever only asks."""
    stored = _Stored(StoredIntermediates(config.intermediates_file))
    if writer is None:
        return KnownIntermediates(stored)
    log = IntermediateLog(config.intermediates_file, writer, _bounded)
    return KnownIntermediates(stored, lambda found: log.add(_row(found)))


def _bounded(rows: Sequence[Row]) -> list[Row]:
    return [_row(each) for each in bounded(map(_intermediate, rows))]


def _intermediate(row: Row) -> Intermediate:
    return Intermediate(row.scope, Authority(row.name, row.key_id), Authority(row.issuer, row.issuer_key_id))


def _row(found: Intermediate) -> Row:
    return Row(found.scope, *found.itself, *found.issuer)
