"""A tenant as files that Exchange Online's cmdlets could have printed: to compare, to keep, or to move there."""

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from gatepost.admin.directory.editor import DirectoryEditor
from gatepost.admin.directory.lookups import tenant_named
from gatepost.admin.directory.send_connectors import name_for_tenant
from gatepost.errors import BadRequest
from gatepost.exchange.translate import (
    NoEqual,
    Properties,
    domain_properties,
    inbound_lost,
    inbound_properties,
    outbound_lost,
    outbound_properties,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    files: tuple[Path, ...]
    no_equal: tuple[NoEqual, ...]


def export(editor: DirectoryEditor, tenant: str, folder: Path) -> Exported:
    """Raises BadRequest where the folder cannot be written."""
    owner = tenant_named(editor, tenant).name
    inbound = list(editor.all_inbound_connectors(owner))
    outbound = list(editor.all_send_connectors(owner))
    contents = {
        "Get-AcceptedDomain.json": [domain_properties(each) for each in editor.all_domains(owner)],
        "Get-InboundConnector.json": [inbound_properties(each) for each in inbound],
        "Get-OutboundConnector.json": [outbound_properties(each, name_for_tenant(each)) for each in outbound],
    }
    files = tuple(_written(folder / name, objects) for name, objects in contents.items())
    lost = (
        *(each for connector in inbound for each in inbound_lost(connector)),
        *(each for connector in outbound for each in outbound_lost(connector, name_for_tenant(connector))),
    )
    return Exported(files=files, no_equal=lost)


def _written(path: Path, objects: Sequence[Properties]) -> Path:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        text = json.dumps(objects, indent=2, ensure_ascii=False) + "\n"
        # It holds names, addresses and certificates of a tenant: for its owner.
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as out:
            out.write(text)
    except OSError as error:
        raise BadRequest(f"{path} cannot be written: {error.strerror}") from None
    return path
