"""The same objects in another form give the same facts: bundles of the collection, bent by rule.

What flows: the connectors, domains and certificates that a bundle's files show, written again by each of `FORMS`, and
that text wrapped by each of `WRAPPINGS`; what is read from it must be what was read before.
"""

# ruff: noqa: E501 - forms are as wide as they are

import csv
import io
import json
from collections.abc import Callable, Sequence
from functools import cache
from html import escape
from pathlib import Path

import pytest

from gatepost.doctor.evidence import EvidenceBundle
from gatepost.doctor.reading import Collection, read_files, read_octets
from gatepost.exchange.objects import ExportedObject
from soak import some

BUNDLES = Path(__file__).parent / "bundles"
Row = dict[str, str]
LISTS = ("send_connectors", "receive_connectors", "inbound_connectors", "outbound_connectors", "accepted_domains")
CMDLETS = {
    "send_connectors": "Get-SendConnector",
    "receive_connectors": "Get-ReceiveConnector",
    "inbound_connectors": "Get-InboundConnector",
    "outbound_connectors": "Get-OutboundConnector",
    "accepted_domains": "Get-AcceptedDomain",
    "certificates": "Get-ExchangeCertificate",
}


# --- the objects of a bundle -----------------------------------------------------------------------------------------


def shown(found: ExportedObject) -> Row | None:
    """The properties as Format-List writes them; None where the bundle's own form lost some."""
    if any(each.truncated or each.type_name_only or "\n" in each.value for each in found.properties):
        return None
    row = {}
    for each in found.properties:
        listed = len(each.values) > 1 or (each.values and each.values[0] != each.value)
        row[each.name] = f"{{{', '.join(each.values)}}}" if listed else each.value
    return row


def objects_of(bundle: EvidenceBundle) -> list[tuple[str, list[Row]]]:
    """By kind, the objects that have the same properties, as one command prints them."""
    groups: dict[tuple[str, tuple[str, ...]], list[Row]] = {}
    for kind in LISTS:
        for each in getattr(bundle, kind):
            if (row := shown(each)) and len(row) > 1 and any(row.values()):
                groups.setdefault((kind, tuple(row)), []).append(row)
    for each in bundle.certificates:
        if each.role == "stored" and each.thumbprint and each.subject and each.services and not each.names_truncated:
            row = {"Thumbprint": each.thumbprint, "Services": each.services, "Subject": each.subject.text}
            groups.setdefault(("certificates", tuple(row)), []).append(row)
    return [(kind, rows) for (kind, _), rows in groups.items()]


# --- the forms ---------------------------------------------------------------------------------------------------------


def as_list(rows: Sequence[Row]) -> str:
    width = max(len(name) for name in rows[0])
    return "\n\n".join("\n".join(f"{name:<{width}} : {value}" for name, value in row.items()) for row in rows) + "\n"


def as_double_spaced_list(rows: Sequence[Row]) -> str:
    return "\n\n\n".join("\n\n".join(f"{name} : {value}" for name, value in row.items()) for row in rows) + "\n"


def as_yaml(rows: Sequence[Row]) -> str:
    return "\n".join("- " + "\n  ".join(f"{name}: {value}" for name, value in row.items()) for row in rows)


def widths(rows: Sequence[Row]) -> dict[str, int]:
    return {name: max(len(name), *(len(row[name]) for row in rows)) for name in rows[0]}


def as_table(rows: Sequence[Row]) -> str:
    wide = widths(rows)
    head = [
        " ".join(f"{name:<{wide[name]}}" for name in rows[0]),
        " ".join("-" * len(name) + " " * (wide[name] - len(name)) for name in rows[0]),
    ]
    return "\n".join([*head, *(" ".join(f"{row[name]:<{wide[name]}}" for name in row) for row in rows)]) + "\n"


def as_wrapped_table(rows: Sequence[Row]) -> str:
    """`ft -Wrap` in a narrow window: words are cut where a column ends."""
    wide = {name: max(len(name), 14) for name in rows[0]}
    lines = [
        " ".join(f"{name:<{wide[name]}}" for name in wide),
        " ".join(f"{'-' * len(name):<{wide[name]}}" for name in wide),
    ]
    for row in rows:
        cut = {
            name: [row[name][at : at + size] for at in range(0, len(row[name]), size)] or [""]
            for name, size in wide.items()
        }
        for at in range(max(map(len, cut.values()))):
            lines.append(
                " ".join(f"{(cut[name][at] if at < len(cut[name]) else ''):<{size}}" for name, size in wide.items())
            )
    return "\n".join(lines) + "\n"


def as_table_without_dashes(rows: Sequence[Row]) -> str:
    lines = as_table(rows).split("\n")
    return "\n".join(["  ".join(each.ljust(0) for each in [lines[0]]), *lines[2:]])


def as_markdown(rows: Sequence[Row]) -> str:
    lines = ["| " + " | ".join(rows[0]) + " |", "|" + "---|" * len(rows[0])]
    return "\n".join([*lines, *("| " + " | ".join(row.values()) + " |" for row in rows)])


def as_box(rows: Sequence[Row]) -> str:
    wide = widths(rows)
    border = "+" + "+".join("-" * (each + 2) for each in wide.values()) + "+"
    body = ["| " + " | ".join(f"{row[name]:<{size}}" for name, size in wide.items()) + " |" for row in rows]
    head = "| " + " | ".join(f"{name:<{size}}" for name, size in wide.items()) + " |"
    return "\n".join([border, head, border, *body, border])


def as_wiki(rows: Sequence[Row]) -> str:
    return "\n".join(
        [
            "||" + "||".join(rows[0]) + "||",
            *("|" + "|".join(f" {each} " for each in row.values()) + "|" for row in rows),
        ]
    )


def as_html(rows: Sequence[Row]) -> str:
    def cells(tag: str, values: Sequence[str]) -> str:
        return "<tr>\n" + "".join(f"  <{tag} class='x'>{escape(each)}</{tag}>\n" for each in values) + "</tr>\n"

    return f"<html><body><p>The export</p><table>{cells('th', [*rows[0]])}{''.join(cells('td', [*row.values()]) for row in rows)}</table></body></html>"


def as_csv(rows: Sequence[Row], delimiter: str = ",", quoting: int = csv.QUOTE_ALL) -> str:
    written = io.StringIO()
    writer = csv.writer(written, delimiter=delimiter, quoting=quoting, lineterminator="\n")
    writer.writerow(rows[0])
    writer.writerows(row.values() for row in rows)
    return written.getvalue()


def elements(value: str) -> str | list[str]:
    return [each.strip() for each in value.strip("{}").split(",")] if value.startswith("{") else value


def as_json(rows: Sequence[Row]) -> str:
    return json.dumps({"value": [{name: elements(value) for name, value in row.items()} for row in rows]}, indent=1)


def as_json_lines(rows: Sequence[Row]) -> str:
    return "\n".join(json.dumps({name: elements(value) for name, value in row.items()}) for row in rows)


def as_clixml(rows: Sequence[Row]) -> str:
    def value(name: str, text: str) -> str:
        listed = elements(text)
        if isinstance(listed, str):
            return f'<S N="{name}">{escape(listed)}</S>'
        return f'<Obj N="{name}" RefId="1"><LST>{"".join(f"<S>{escape(each)}</S>" for each in listed)}</LST></Obj>'

    inner = "\n".join(
        f'<Obj RefId="0"><MS>{"".join(value(name, text) for name, text in row.items())}</MS></Obj>' for row in rows
    )
    return f'<Objs Version="1.1.0.1" xmlns="http://schemas.microsoft.com/powershell/2004/04">\n{inner}\n</Objs>'


FORMS: dict[str, Callable[[Sequence[Row]], str]] = {
    "list": as_list,
    "double-spaced list": as_double_spaced_list,
    "yaml": as_yaml,
    "table": as_table,
    "wrapped table": as_wrapped_table,
    "markdown": as_markdown,
    "box": as_box,
    "wiki": as_wiki,
    "html": as_html,
    "csv": as_csv,
    "csv with semicolons": lambda rows: as_csv(rows, ";"),
    "tsv": lambda rows: as_csv(rows, "\t", csv.QUOTE_MINIMAL),
    "json": as_json,
    "json lines": as_json_lines,
    "clixml": as_clixml,
}


# --- what is compared ----------------------------------------------------------------------------------------------


def facts_of(bundle: EvidenceBundle, kind: str) -> set[tuple[tuple[str, str], ...]]:
    """Every object as its properties with all blanks out, which consoles add and take."""
    if kind == "certificates":
        return {
            (
                ("thumbprint", each.thumbprint),
                ("services", each.services or ""),
                ("name", each.subject.common_name if each.subject else ""),
            )
            for each in bundle.certificates
            if each.role == "stored"
        }
    return {
        tuple(
            sorted(
                (each.name.casefold(), "".join("".join(each.values or (each.value,)).split()))
                for each in found.properties
                if each.values or each.value
            )
        )
        for found in getattr(bundle, kind)
    }


def read(octets: bytes, name: str = "x.txt") -> EvidenceBundle:
    collection = Collection()
    read_octets(name, octets, collection)
    return collection.bundle()


@cache
def cases() -> list[tuple[str, str, list[Row]]]:
    found = []
    for folder in sorted(BUNDLES.iterdir())[::3]:
        bundle = read_files([each for each in sorted(folder.iterdir()) if each.name != "expect.toml"])
        found += [(folder.name, kind, rows) for kind, rows in objects_of(bundle)]
    return found


def test_the_collection_has_objects_of_every_kind():
    assert {kind for _, kind, _ in cases()} == {*LISTS, "certificates"}
    assert len(cases()) > 30


@pytest.mark.soak
@pytest.mark.parametrize("form", FORMS)
def test_an_object_is_the_same_in_every_form(form):
    lost = []
    for folder, kind, rows in some(cases(), 20, seed=form):
        wanted = facts_of(read(f"[PS] C:\\>{CMDLETS[kind]} | fl\n\n{as_list(rows)}".encode()), kind)
        text = FORMS[form](rows)
        head = (
            ""
            if form in ("html", "json", "json lines", "clixml", "yaml") or "sv" in form
            else f"[PS] C:\\>{CMDLETS[kind]} | select *\n\n"
        )
        if not wanted <= facts_of(read(f"{head}{text}".encode()), kind):
            lost.append((folder, kind, text))
    assert not lost, f"{len(lost)} of {len(cases())}\n{lost[0][2]}"


WRAPPINGS: dict[str, Callable[[str], bytes]] = {
    "crlf": lambda text: text.replace("\n", "\r\n").encode(),
    "utf-16": lambda text: text.replace("\n", "\r\n").encode("utf-16"),
    "mac": lambda text: text.replace("\n", "\r").encode(),
    "quoted in a mail": lambda text: (
        f"From: it@tern.example\nTo: x@tern.example\nMessage-ID: <1@tern.example>\nMIME-Version: 1.0\nSubject: export\nContent-Type: text/plain; charset=utf-8\n\n{''.join(f'> {line}' + chr(10) for line in text.split(chr(10)))}".encode()
    ),
    "between words": lambda text: (
        f"Hello,\n\nhere is what you asked for:\n\n{text}\n\nIs that enough?\nRegards, Ann\n".encode()
    ),
    "no-break spaces": lambda text: text.replace("  ", "\u00a0\u00a0").encode(),
    "in a fence": lambda text: f"```powershell\n{text}\n```\n".encode(),
}


@pytest.mark.soak
@pytest.mark.parametrize("wrapping", WRAPPINGS)
@pytest.mark.parametrize("form", ["list", "table", "csv", "json"])
def test_an_object_is_the_same_however_it_was_pasted(form, wrapping):
    lost = []
    for folder, kind, rows in some(cases()[::3], 10, seed=(form, wrapping)):
        command = "" if form in ("csv", "json") else f"[PS] C:\\>{CMDLETS[kind]} | select *\n\n"
        wanted = facts_of(read(f"{command}{FORMS[form](rows)}".encode()), kind)
        if not wanted <= facts_of(read(WRAPPINGS[wrapping](f"{command}{FORMS[form](rows)}"), "renamed.out"), kind):
            lost.append((folder, kind, FORMS[form](rows)))
    assert not lost, f"{len(lost)} lost, first:\n{lost[0][2]}"


def test_a_head_without_dashes_is_still_a_head():
    lost = []
    for _, kind, rows in cases():
        wide = [row for row in rows if all(value and "  " not in value for value in row.values())]
        if not wide or len(wide[0]) < 2:
            continue
        sizes = {name: size + 1 for name, size in widths(wide).items()}
        text = "\n".join(
            " ".join(f"{cell:<{size}}" for cell, size in zip(cells, sizes.values(), strict=True))
            for cells in [[*wide[0]], *([*row.values()] for row in wide)]
        )
        wanted = facts_of(read(f"[PS] C:\\>{CMDLETS[kind]} | fl\n\n{as_list(wide)}".encode()), kind)
        if not wanted <= facts_of(read(f"[PS] C:\\>{CMDLETS[kind]}\n{text}".encode()), kind):
            lost.append(text)
    assert not lost, f"{len(lost)} lost, first:\n{lost[0]}"
