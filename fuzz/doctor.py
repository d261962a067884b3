"""Damaged evidence for the doctor: bundles of the tests, cut, spliced, miswritten, wrapped and encoded in every way.

Invariants, for whatever octets a file holds: reading never raises, each input is done within two seconds of processor
time, and something is said about the file, read or not used. For every second input further: judging and reporting
never raise; the JSON report is JSON, and holds what its contract says; a low finding has no command. For one in 32
further: the same octets give the same report, the saved evidence is loaded unchanged, and hiding names neither raises
nor takes facts away.

    python fuzz/doctor.py 100000 [SEED]
    python fuzz/doctor.py --coverage FOLDER [-runs=N ...]   guided by coverage; needs requirements/fuzz.txt

An input that breaks an invariant is kept in fuzz/failures/ and told with its traceback; when the cause is mended, cut
it down and move it to tests/doctor/regressions/.
"""

import base64
import json
import random
import signal
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from html import escape
from pathlib import Path
from quopri import encodestring

HERE = Path(__file__).parent
BUNDLES = HERE.parent / "tests" / "doctor" / "bundles"
REGRESSIONS = HERE.parent / "tests" / "doctor" / "regressions"
FAILURES = HERE / "failures"
LONGEST_SECONDS = 2.0
LARGEST = 6000
"""Octets of an input: enough for several files spliced."""


# --- the invariants --------------------------------------------------------------------------------------------------


class TooSlow(BaseException):
    """Beyond what any `except Exception` on the way could take for a damaged file."""


class Broken(AssertionError):
    """An invariant does not hold."""


def check(octets: bytes, name: str = "evidence.txt", *, thoroughly: bool = False) -> None:
    """One file, through all that `gatepost doctor` does with it."""
    lot = 0 if thoroughly else sha256(octets).digest()[0]
    with _limited():
        bundle = _bundle(octets, name)
        if lot % 2 == 0:
            document = _reported(bundle)
        if lot % 32 == 0:
            _check_further(octets, name, document)


@contextmanager
def _limited() -> Iterator[None]:
    """Processor time, not the clock's: a busy machine breaks nothing."""

    def stop(*_: object) -> None:
        raise TooSlow(f"more than {LONGEST_SECONDS} s of processor time")

    before = signal.signal(signal.SIGVTALRM, stop)
    signal.setitimer(signal.ITIMER_VIRTUAL, LONGEST_SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


def _bundle(octets: bytes, name: str):
    from gatepost.doctor.reading import Collection, read_octets

    collection = Collection()
    read_octets(name, octets, collection)
    bundle = collection.bundle()
    if not bundle.read and not bundle.unread:
        raise Broken("neither read nor said why not")
    return bundle


def _reported(bundle) -> str:
    from gatepost.doctor import report
    from gatepost.doctor.diagnosis import diagnose

    diagnosis = diagnose(bundle)
    text = json.dumps(report.document(diagnosis))
    _check_contract(json.loads(text))
    if any("\n" in line.text or "\x1b" in line.text for line in report.lines(diagnosis, 80)):
        raise Broken("a line of the report is not one line of plain text")
    report.markdown(diagnosis)
    if "<script" in report.html(diagnosis).casefold():
        raise Broken("markup of the evidence is markup of the report")
    return text


def _check_contract(document: dict) -> None:
    for finding in document["findings"]:
        if finding["confidence"] not in ("high", "medium", "low"):
            raise Broken(f"confidence {finding['confidence']!r}")
        if finding["confidence"] == "low" and finding["fix"]:
            raise Broken(f"{finding['rule']}: a low finding with a command")
        if not finding["summary"].strip():
            raise Broken(f"{finding['rule']}: no summary")
        for cited in finding["evidence"]:
            if not cited["source"].rpartition(":")[2].isdigit():
                raise Broken(f"{finding['rule']}: evidence without a line: {cited['source']!r}")


def _check_further(octets: bytes, name: str, document: str) -> None:
    from dataclasses import fields

    from gatepost.doctor.bundle_file import dump_bundle, load_bundle
    from gatepost.doctor.diagnosis import diagnose
    from gatepost.doctor.redaction import redacted

    bundle = _bundle(octets, name)
    if _reported(bundle) != document:
        raise Broken("the same octets gave another report")
    if load_bundle(dump_bundle(bundle)) != bundle:
        raise Broken("the saved evidence is loaded as another value")
    hidden = redacted(bundle, b"a key of the fuzzer")
    for each in fields(bundle):
        if len(getattr(hidden, each.name)) != len(getattr(bundle, each.name)):
            raise Broken(f"hiding names changed the number of {each.name}")
    diagnose(hidden)


# --- inputs ----------------------------------------------------------------------------------------------------------


def corpus() -> list[bytes]:
    """What the tests hold, and certificates in the forms that are not text."""
    files = sorted(each for each in BUNDLES.rglob("*") if each.is_file() and each.name != "expect.toml")
    kept = sorted(each for each in REGRESSIONS.glob("*") if each.is_file())
    return [*(each.read_bytes() for each in (*files, *kept)), *_certificate_files()]


def _certificate_files() -> list[bytes]:
    """PEM, DER, PFX with and without a password, and the two forms of PKCS#7."""
    from datetime import datetime, timedelta

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import (
        BestAvailableEncryption,
        Encoding,
        NoEncryption,
        pkcs7,
        pkcs12,
    )

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "mail.contoso.example")])
    begin = datetime(2026, 1, 1)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), 7, begin, begin + timedelta(days=90))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("mail.contoso.example")]), critical=False)
        .add_extension(x509.ExtendedKeyUsage([x509.ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem, der = certificate.public_bytes(Encoding.PEM), certificate.public_bytes(Encoding.DER)
    return [
        pem,
        der,
        pkcs12.serialize_key_and_certificates(b"x", key, certificate, None, NoEncryption()),
        pkcs12.serialize_key_and_certificates(b"x", key, certificate, None, BestAvailableEncryption(b"secret")),
        pkcs7.serialize_certificates([certificate], Encoding.DER),
        pkcs7.serialize_certificates([certificate], Encoding.PEM),
    ]


NUMBERS = ("0", "-1", "1", "99", "65536", "2147483648", "99999999999999999999999", "0x7fffffff", "1e999", "007", "٣")
SIGNS = (
    *"\x00\x01\x0b\x0c\x1b\x7f\x85\t\r\n\"'`<>{}[]()=:;,|\\/#@*%&$_-. ",
    *"\u00a0\u00ad\u0131\u017f\u0301\u1e9e\u200b\u2018\u2019\u201c\u201d\u2028\u202e\u2192\u3000\ufeff\uff1a\uffff\U0001f4e7",
    *(
        "{LED=",
        "->",
        "<I>",
        "<S>",
        "[Message=",
        "&#x0;",
        "=20",
        "=\n",
        "=?utf-8?B?",
        "_x0000_",
        "{}",
        "$null",
        "...",
        "\\ud800",
    ),
)
_SEPARATORS = ",;:=|\"'<>[](){}\t "

Lines = list[str]
Mutation = Callable[[random.Random, Lines, Lines], Lines]
"""Of the lines of one file, with those of another at hand."""


def _drop(chance: random.Random, lines: Lines, _: Lines) -> Lines:
    at = chance.randrange(len(lines))
    return lines[:at] + lines[at + chance.randint(1, 4) :]


def _double(chance: random.Random, lines: Lines, _: Lines) -> Lines:
    at = chance.randrange(len(lines))
    return lines[:at] + [lines[at]] * chance.choice((2, 3, 40)) + lines[at + 1 :]


def _move(chance: random.Random, lines: Lines, _: Lines) -> Lines:
    lines = list(lines)
    lines.insert(chance.randrange(len(lines)), lines.pop(chance.randrange(len(lines))))
    return lines


def _splice(chance: random.Random, lines: Lines, other: Lines) -> Lines:
    at, begin = chance.randrange(len(lines) + 1), chance.randrange(len(other))
    return lines[:at] + other[begin : begin + chance.randint(1, 12)] + lines[at:]


def _join(chance: random.Random, lines: Lines, _: Lines) -> Lines:
    at, count = chance.randrange(len(lines)), chance.randint(2, 6)
    return [*lines[:at], chance.choice(("", " ", ", ")).join(lines[at : at + count]), *lines[at + count :]]


def _break(chance: random.Random, lines: Lines, _: Lines) -> Lines:
    at = chance.randrange(len(lines))
    line = lines[at]
    cut = chance.randrange(len(line) + 1)
    return [*lines[:at], line[:cut], chance.choice(("", "  ", "> ", "\t")) + line[cut:], *lines[at + 1 :]]


def _on_a_line(change: Callable[[random.Random, str, str], str]) -> Mutation:
    def mutate(chance: random.Random, lines: Lines, other: Lines) -> Lines:
        at = chance.randrange(len(lines))
        return [*lines[:at], change(chance, lines[at], chance.choice(other)), *lines[at + 1 :]]

    return mutate


def _insert_sign(chance: random.Random, line: str, _: str) -> str:
    at = chance.randrange(len(line) + 1)
    return line[:at] + chance.choice(SIGNS) * chance.choice((1, 1, 1, 2, 30)) + line[at:]


def _without_signs(chance: random.Random, line: str, _: str) -> str:
    return line.replace(chance.choice(_SEPARATORS), chance.choice(("", " ", ",,", ";")))


def _other_number(chance: random.Random, line: str, _: str) -> str:
    starts = [at for at, sign in enumerate(line) if sign.isdigit() and (at == 0 or not line[at - 1].isdigit())]
    if not starts:
        return line
    begin = end = chance.choice(starts)
    while end < len(line) and line[end].isdigit():
        end += 1
    return line[:begin] + chance.choice(NUMBERS) + line[end:]


def _other_word(chance: random.Random, line: str, other: str) -> str:
    words, others = line.split(" "), other.split(" ")
    words[chance.randrange(len(words))] = chance.choice(others)
    return " ".join(words)


def _half_of_each(chance: random.Random, line: str, other: str) -> str:
    return line[: chance.randrange(len(line) + 1)] + other[chance.randrange(len(other) + 1) :]


def _other_case(chance: random.Random, line: str, _: str) -> str:
    return chance.choice((str.upper, str.lower, str.swapcase, str.title))(line)


def _all_indented(chance: random.Random, lines: Lines, _: Lines) -> Lines:
    margin = chance.choice((" ", "    ", "\t", "> ", ">> ", "| ", "[2026-01-06 08:00:00] "))
    return [margin + line for line in lines]


MUTATIONS: tuple[Mutation, ...] = (
    _drop,
    _double,
    _move,
    _splice,
    _join,
    _break,
    *map(_on_a_line, (_insert_sign, _without_signs, _other_number, _other_word, _half_of_each, _other_case)),
    *map(_on_a_line, (_insert_sign, _other_number)),
    _all_indented,
)


def _as_it_is(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _as_mail(encoding: str) -> Callable[[str], bytes]:
    def wrapped(text: str) -> bytes:
        body = _as_it_is(text)
        body = base64.encodebytes(body) if encoding == "base64" else encodestring(body)
        return (
            b"Received: from x (x [192.0.2.1]) by y\r\nSubject: =?utf-8?Q?=D0=9D?=\r\nMIME-Version: 1.0\r\n"
            b'Content-Type: multipart/report; boundary="b"\r\n\r\n--b\r\nContent-Type: text/plain; charset=utf-8\r\n'
            b"Content-Transfer-Encoding: " + encoding.encode() + b"\r\n\r\n" + body + b"\r\n--b--\r\n"
        )

    return wrapped


WRITINGS: tuple[Callable[[str], bytes], ...] = (
    *[_as_it_is] * 12,
    lambda text: text.encode("utf-8-sig", "replace"),
    lambda text: text.encode("utf-16", "replace"),
    lambda text: text.encode("utf-16-le", "replace"),
    lambda text: text.encode("utf-16-be", "replace"),
    lambda text: text.encode("cp1252", "replace"),
    lambda text: text.encode("latin-1", "replace"),
    lambda text: text.replace("\n", "\r\n").encode("utf-8", "replace"),
    _as_mail("base64"),
    _as_mail("quoted-printable"),
    lambda text: f"<html><body><pre>{escape(text)}</pre></body></html>".encode("utf-8", "replace"),
    lambda text: json.dumps([{"Name": text, "ConnectorType": "OnPremises", "Log": text.split("\n")}]).encode(),
    lambda text: (
        f'<Objs Version="1.1.0.1"><Obj RefId="0"><Props><S N="Fqdn">{escape(text)}</S></Props></Obj></Objs>'
    ).encode("utf-8", "replace"),
)


def mutated(chance: random.Random, files: list[bytes]) -> bytes:
    """One input: a file of the corpus, changed some times, written in some way, and at times damaged as octets."""
    octets = chance.choice(files)
    if octets[:1] == b"\x30":
        return _damaged(chance, octets)
    lines = _window(chance, octets.decode("utf-8", "replace").split("\n"))
    other = chance.choice(files).decode("utf-8", "replace").split("\n")
    for _ in range(chance.choice((1, 1, 2, 3, 5, 9))):
        lines = chance.choice(MUTATIONS)(chance, lines, other) or [""]
    octets = chance.choice(WRITINGS)("\n".join(lines))[:LARGEST]
    return _damaged(chance, octets) if chance.random() < 0.15 else octets


def _window(chance: random.Random, lines: Lines) -> Lines:
    """All of a small file, some lines of a large one."""
    length = chance.choice((8, 20, 20, 60))
    begin = chance.randrange(len(lines)) if len(lines) > length else 0
    return lines[begin : begin + length]


def _damaged(chance: random.Random, octets: bytes) -> bytes:
    damaged = bytearray(octets)
    for _ in range(chance.randint(1, 8)):
        at = chance.randrange(len(damaged) + 1)
        kind = chance.randrange(4)
        if kind == 0:
            damaged[at:at] = bytes(chance.randrange(256) for _ in range(chance.randint(1, 4)))
        elif kind == 1:
            del damaged[at : at + chance.randint(1, 30)]
        elif at < len(damaged):
            damaged[at] = chance.randrange(256) if kind == 2 else damaged[at] ^ (1 << chance.randrange(8))
    return bytes(damaged[: chance.randrange(len(damaged) + 1)] if chance.random() < 0.2 else damaged)


# --- the run ---------------------------------------------------------------------------------------------------------


def main(count: int, seed: int) -> int:
    """How many different failures there were."""
    chance, files = random.Random(seed), corpus()
    failures: Counter[str] = Counter()
    begin = said = time.monotonic()
    for done in range(1, count + 1):
        octets = mutated(chance, files)
        try:
            check(octets)
        except (Exception, TooSlow) as error:
            _keep(octets, error, failures)
        if time.monotonic() - said > 30:
            said = time.monotonic()
            print(f"{done} inputs, {done / (said - begin):.0f} a second, {len(failures)} failures", flush=True)
    print(f"{count} inputs, seed {seed}, {time.monotonic() - begin:.0f} s, {len(failures)} failures", flush=True)
    return len(failures)


def _keep(octets: bytes, error: BaseException, failures: Counter[str]) -> None:
    """One input for each place that failed."""
    ours = [each for each in traceback.extract_tb(error.__traceback__) if "gatepost" in each.filename]
    place = f"{type(error).__name__} {Path(ours[-1].filename).name}:{ours[-1].lineno}" if ours else repr(error)
    failures[place] += 1
    if failures[place] > 1:
        return
    FAILURES.mkdir(exist_ok=True)
    path = FAILURES / sha256(octets).hexdigest()[:16]
    path.write_bytes(octets)
    print(f"{path}: {place}", flush=True)
    traceback.print_exception(error)


def guided(arguments: list[str]) -> None:
    """libFuzzer chooses the octets, by what they reach."""
    import atheris

    with atheris.instrument_imports(include=["gatepost.doctor"]):
        import gatepost.doctor.bundle_file
        import gatepost.doctor.diagnosis
        import gatepost.doctor.reading
        import gatepost.doctor.redaction
        import gatepost.doctor.report  # noqa: F401 - imported to be instrumented

    for octets in corpus():
        path = Path(arguments[0]) / sha256(octets).hexdigest()[:16]
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(octets[:LARGEST])
    atheris.Setup([sys.argv[0], f"-max_len={LARGEST}", *arguments], check)
    atheris.Fuzz()


if __name__ == "__main__":
    if sys.argv[1:2] == ["--coverage"]:
        guided(sys.argv[2:])
    else:
        number = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
        sys.exit(bool(main(number, int(sys.argv[2]) if len(sys.argv) > 2 else random.randrange(2**32))))
