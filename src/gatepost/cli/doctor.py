"""`gatepost doctor`: from the evidence an administrator has to the cause and the exact fix."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from secrets import token_bytes
from time import perf_counter
from typing import TYPE_CHECKING, Annotated

import typer

from gatepost.cli import context
from gatepost.doctor.collecting import Collected, script_for
from gatepost.doctor.evidence import EvidenceBundle
from gatepost.doctor.reading import Collection, NothingToRead, PasswordOf, Progress, read_files, read_octets
from gatepost.mail.visible import visible

if TYPE_CHECKING:
    from gatepost.doctor.diagnosis import Diagnosis
    from gatepost.doctor.report import Line

doctor_app = typer.Typer(add_completion=False, rich_markup_mode=None)

_FOR_PROGRESS = 1.0
"""Seconds after which a person wants to see that something happens."""
_BETWEEN_SHOWN = 0.1
_LARGE = 64 * 1024 * 1024
"""Octets of input of which the speed is told."""


@doctor_app.command(
    "doctor", help="Diagnose a problem from bounces, logs, exports and certificates. Exit code 1: no cause found."
)
def doctor_command(
    evidence: Annotated[
        list[str] | None,
        typer.Argument(metavar="FILE|FOLDER|-...", show_default=False, help="'-' reads standard input."),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Output JSON.")] = False,
    markdown: Annotated[bool, typer.Option("--markdown", help="Markdown, for a ticket.")] = False,
    html: Annotated[Path | None, typer.Option(metavar="FILE", help="Write one HTML file.")] = None,
    save: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the evidence to a file for --bundle.")
    ] = None,
    bundle: Annotated[
        list[Path] | None, typer.Option(metavar="FILE", help="Evidence written by --save; repeatable.")
    ] = None,
    following: Annotated[
        Path | None,
        typer.Option("--next", metavar="PEM", help="Check offline what this renewed certificate would break."),
    ] = None,
    probe: Annotated[
        str | None,
        typer.Option(
            metavar="HOST[:PORT]", help="Also connect to this host now and include the session in the diagnosis."
        ),
    ] = None,
    certificate: Annotated[Path | None, typer.Option(metavar="PEM", help="With --probe: chain to present.")] = None,
    key: Annotated[Path | None, typer.Option(metavar="PEM", help="With --probe: its key.")] = None,
    mail_from: Annotated[str | None, typer.Option(metavar="A", help="With --probe: also send MAIL.")] = None,
    rcpt_to: Annotated[list[str] | None, typer.Option(metavar="B", help="With --probe: also send RCPT.")] = None,
    pfx_password_file: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="File with the password of PFX files in its first line; default: prompt."),
    ] = None,
    redact: Annotated[
        bool, typer.Option("--redact", help="Hide names, addresses and serial numbers in all output.")
    ] = False,
    collect: Annotated[
        Collected | None,
        typer.Option(
            metavar="exchange|exchange-online|postfix",
            help="Print a script that gathers the evidence on that server; with --redact it hides user names.",
        ),
    ] = None,
) -> None:
    if collect is not None:
        _print_script(collect, redact, reads=bool(evidence or bundle or probe or following))
        return
    password_of = _password_of(pfx_password_file)
    probed = _probed(probe, certificate, key, mail_from, rcpt_to or [])
    found = _gathered(evidence or [], bundle or [], probed, password_of)
    secret = token_bytes(16) if redact else None
    found = _redacted(found, secret)
    if save:
        from gatepost.doctor.bundle_file import dump_bundle

        _write(save, dump_bundle(found), "--save")
    diagnosis = _rehearsed(following, found, secret, password_of) if following else _diagnosed(found)
    _report(diagnosis, json, markdown, html)
    _end(found, diagnosis, suggest=not (json or markdown))


def _print_script(kind: Collected, redact: bool, reads: bool) -> None:
    if reads:
        says = "--collect prints a script and reads no evidence: leave the files out"
        context.fail(says, context.WRONG_USE)
    context.say(script_for(kind, redacted=redact).rstrip("\n"))


def _end(found: EvidenceBundle, diagnosis: "Diagnosis", suggest: bool) -> None:
    """With the next command, for a person, and exit code 1 where no cause was found."""
    if suggest:
        from gatepost.doctor.next_command import next_command

        context.suggest(next_command(found, diagnosis))
    if not diagnosis.findings:
        raise typer.Exit(context.NO)


def _diagnosed(found: EvidenceBundle) -> "Diagnosis":
    from gatepost.doctor.diagnosis import diagnose

    return diagnose(found)


def _rehearsed(path: Path, found: EvidenceBundle, key: bytes | None, password_of: PasswordOf | None) -> "Diagnosis":
    from time import time

    from gatepost.doctor.renewal import NoCertificate, rehearsed

    try:
        return rehearsed(_redacted(read_files([path], None, password_of), key), found, time())
    except (NothingToRead, NoCertificate) as error:
        context.fail(f"--next {path}: {error}", context.WRONG_USE)


def _password_of(file: Path | None) -> PasswordOf | None:
    """From the file, or by asking a person; None where there is neither. Never from the command line, which others of
    the machine can read."""
    if file:
        password = _first_line(file)
        return lambda name: password
    if not sys.stdin.isatty():
        return None
    return _asked_password


def _asked_password(name: str) -> str | None:
    from getpass import getpass

    try:
        return getpass(f"password of {visible(name)} (empty: leave it out): ") or None
    except EOFError:
        return None


def _first_line(file: Path) -> str:
    try:
        return file.read_text("utf-8").split("\n", 1)[0].rstrip("\r")
    except OSError as error:
        context.fail(f"--pfx-password-file {file}: {error.strerror}", context.WRONG_USE)
    except UnicodeDecodeError:
        context.fail(f"--pfx-password-file {file}: not text in UTF-8", context.WRONG_USE)


def _probed(
    host: str | None, certificate: Path | None, key: Path | None, mail_from: str | None, rcpt_to: list[str]
) -> list[EvidenceBundle]:
    if host is None:
        if certificate or key or mail_from is not None or rcpt_to:
            says = "--certificate, --key, --mail-from and --rcpt-to are for a probe: name the host with --probe"
            context.fail(says, context.WRONG_USE)
        return []
    from gatepost.cli.probe import PATIENCE_S, hold_probe
    from gatepost.cli.probe_evidence import evidence_of

    return [evidence_of(hold_probe(host, certificate, key, mail_from, rcpt_to, None, PATIENCE_S))]


def _gathered(
    evidence: list[str], bundles: list[Path], probed: list[EvidenceBundle], password_of: PasswordOf | None
) -> EvidenceBundle:
    if not evidence and not bundles and not probed:
        context.fail("nothing to read: name files or folders, or '-' for standard input", context.WRONG_USE)
    parts = [*probed, *(_loaded(each) for each in bundles)]
    named = [Path(each) for each in evidence if each != "-"]
    try:
        if named:
            parts.append(read_files(named, _progress(), password_of))
    except NothingToRead as error:
        context.fail(str(error), context.WRONG_USE)
    if "-" in evidence:
        collection = Collection(password_of)
        read_octets("standard input", sys.stdin.buffer.read(), collection)
        parts.append(collection.bundle())
    together = parts[0]
    for part in parts[1:]:
        together = together.joined(part)
    if not together.read:
        because = together.unread[0] if together.unread else None
        said = f"{because.source.file}: {because.because}" if because else "the files hold nothing"
        context.fail(f"no evidence could be read; {said}", context.WRONG_USE)
    return together


def _loaded(path: Path) -> EvidenceBundle:
    from gatepost.doctor.bundle_file import BundleError, load_bundle

    try:
        return load_bundle(path.read_text("utf-8"))
    except OSError as error:
        context.fail(f"--bundle {path}: {error.strerror}", context.WRONG_USE)
    except (BundleError, UnicodeDecodeError) as error:
        context.fail(f"--bundle {path}: {error}", context.WRONG_USE)


def _progress() -> Progress:
    """A line on the terminal for inputs that take long, many or large; it is rubbed out at the end."""
    begin = shown = perf_counter()
    terminal = sys.stderr.isatty()

    def tell(name: str, done: int, total: int, lines: int) -> None:
        nonlocal shown
        now = perf_counter()
        if now - begin < _FOR_PROGRESS and total < _LARGE:
            return
        if terminal and (now - shown > _BETWEEN_SHOWN or not name):
            shown = now
            text = f"reading {name} ({done * 100 // (total or 1)} %)" if name else ""
            sys.stderr.write(f"\r\033[K{visible(text)[:78]}")
            sys.stderr.flush()
        if not name and lines and total >= _LARGE:
            context.say(f"read {total >> 20} MiB in {now - begin:.1f} s, {lines / (now - begin):,.0f} rows/s", err=True)

    return tell


def _redacted(found: EvidenceBundle, key: bytes | None) -> EvidenceBundle:
    """With one key for all that is written, equal names stay equal."""
    if key is None:
        return found
    from gatepost.doctor.redaction import redacted

    return redacted(found, key)


def _write(path: Path, text: str, option: str) -> None:
    try:
        # A file's name, or a JSON escape, can hold what is no character; written so, JSON reads it back.
        # It tells of mail: for its owner, until the owner says otherwise.
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8", errors="backslashreplace") as out:
            out.write(text)
    except OSError as error:
        context.fail(f"{option} {path}: {error.strerror}", context.WRONG_USE)


def _report(diagnosis: "Diagnosis", json: bool, markdown: bool, html: Path | None) -> None:
    from gatepost.doctor import report

    if html:
        _write(html, report.html(diagnosis), "--html")
    if json:
        context.print_json(report.document(diagnosis))
    elif markdown:
        context.say(report.markdown(diagnosis))
    else:
        _show(report.lines(diagnosis, context.console().width))


_COLOURS = {
    "cause": "bold",
    "label": "bold cyan",
    "text": "",
    "evidence": "yellow",
    "command": "green",
    "quiet": "dim",
    "blank": "",
}


def _show(lines: "Sequence[Line]") -> None:
    from rich.text import Text

    console = context.console()
    for line in lines:
        console.print(Text(line.text, style=_COLOURS[line.style]), soft_wrap=True, highlight=False)
