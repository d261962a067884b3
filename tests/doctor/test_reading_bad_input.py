"""Whatever is handed in, the answer is one clear line, in bounded memory and time; never a traceback."""

import datetime
import io
import json
import os
import resource
import subprocess
import sys
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.serialization import pkcs7, pkcs12

from gatepost.cli.main import run
from gatepost.doctor.reading import read_files, read_text
from pki import Pki
from soak import rounds

SOURCE = Path(__file__).parents[2] / "src"
REFUSAL = "550 5.7.64 TenantAttribution; Relay Access Denied [AM1.eop-eur05.prod.protection.outlook.com]"
MEMORY = 600 * 1024 * 1024
"""Of address space: a Python with its libraries takes about half of it."""
NOBODY = 65534
SECONDS = 60
"""Of processor time, so that a busy machine breaks nothing."""


def doctor(*arguments: object, stdin: bytes | None = None) -> subprocess.CompletedProcess[str]:
    """The command as a person runs it, within limits that the kernel enforces."""

    def limited() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
        resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))

    done = subprocess.run(
        [sys.executable, "-m", "gatepost", "doctor", *map(str, arguments)],
        input=stdin,
        stdin=subprocess.DEVNULL if stdin is None else None,
        capture_output=True,
        env={**os.environ, "PYTHONPATH": str(SOURCE), "COLUMNS": "100"},
        preexec_fn=limited,
        timeout=rounds(110, large=1800),
        check=False,
    )
    told = subprocess.CompletedProcess(done.args, done.returncode, done.stdout.decode(), done.stderr.decode())
    assert "Traceback" not in told.stderr + told.stdout
    return told


def doctor_here(*arguments: object, stdin: bytes = b"") -> subprocess.CompletedProcess[str]:
    """The command in this process: for what it says, where neither limits nor a terminal are asked about."""
    out, errors, before = io.StringIO(), io.StringIO(), sys.stdin
    sys.stdin = io.TextIOWrapper(io.BytesIO(stdin))
    code: object
    try:
        with redirect_stdout(out), redirect_stderr(errors):
            code = run(["doctor", *map(str, arguments)])
    except SystemExit as ended:
        code = ended.code or 0
    finally:
        sys.stdin = before
    assert isinstance(code, int)
    return subprocess.CompletedProcess(["gatepost", "doctor"], code, out.getvalue(), errors.getvalue())


def assert_one_line(done: subprocess.CompletedProcess[str], *said: str) -> None:
    assert done.returncode == 2, done.stderr
    assert done.stderr.startswith("gatepost: ")
    assert done.stderr.count("\n") == 1
    for each in said:
        assert each in done.stderr


KINDS = {
    "zip": (b"PK\x03\x04" + bytes(100), "zip archive"),
    "docx": (b"PK\x03\x04\x14\x00\x06\x00[Content_Types].xml word/document.xml", "Office document"),
    "empty zip": (b"PK\x05\x06" + bytes(18), "empty zip"),
    "gzip": (b"\x1f\x8b\x08" + bytes(50), "gzip"),
    "bzip2": (b"BZh91AY&SY", "bzip2"),
    "xz": (b"\xfd7zXZ\x00\x00", "xz"),
    "zstd": (b"\x28\xb5\x2f\xfd\x04\x00", "zstd"),
    "PDF": (b"%PDF-1.7\n%\xe2\xe3\xcf\xd3", "copy its text"),
    "RTF": (b"{\\rtf1\\ansi hello}", "copy its text"),
    "picture": (b"\x89PNG\r\n\x1a\n", "picture"),
    "Java key store": (b"\xfe\xed\xfe\xed\x00\x00\x00\x02", "keytool"),
    "binary event log": (b"ElfFile\x00", "export"),
    "empty": (b"", "empty"),
    "NUL octets": (bytes(5000), "empty"),
    "noise": (bytes(range(256)) * 30, "not text"),
    "another text": (b"1234 5678\n" * 5, "nothing in it that we know"),
}


@pytest.mark.parametrize("kind", KINDS)
def test_what_cannot_be_read_is_named_with_what_to_do(kind, tmp_path):
    octets, said = KINDS[kind]
    (tmp_path / "evidence").write_bytes(octets)
    (unread,) = read_files([tmp_path / "evidence"]).unread
    assert said in unread.because


@pytest.mark.parametrize(
    "octets",
    [
        REFUSAL.encode("utf-16"),
        REFUSAL.encode("utf-16-le"),
        REFUSAL.encode("utf-16-be"),
        REFUSAL.encode("utf-8-sig"),
        "Übergröße: ".encode("cp1252") + b"\n" + "Übergröße \u2192\n".encode() + REFUSAL.encode(),
        b"\xe9\xe8\x81\x8d\n\x00\x00" + REFUSAL.encode("latin-1") + b"\x00\n\xff\xfe",
        REFUSAL.encode()[:60] + b"\x00" + REFUSAL.encode()[60:],
    ],
    ids=["utf-16", "utf-16-le", "utf-16-be", "utf-8 with a mark", "cp1252 and utf-8", "latin-1 and NUL", "NUL inside"],
)
def test_in_whatever_encoding_the_reply_is_read(octets, tmp_path):
    (tmp_path / "bounce.txt").write_bytes(octets)
    assert [each.enhanced for each in read_files([tmp_path / "bounce.txt"]).replies] == ["5.7.64"]


def test_a_large_text_in_utf_16_is_read_too(tmp_path, monkeypatch):
    monkeypatch.setattr("gatepost.doctor.reading.LARGEST_WHOLE", 10_000)
    (tmp_path / "out.txt").write_bytes(("filler\r\n" * 4000 + REFUSAL + "\r\n").encode("utf-16"))
    (reply,) = read_files([tmp_path / "out.txt"]).replies
    assert (reply.enhanced, reply.source.line) == ("5.7.64", 4001)


def test_a_sparse_file_of_ten_gigabytes_takes_no_memory_and_no_time(tmp_path):
    path = tmp_path / "SEND.log"
    with path.open("wb") as file:
        file.truncate(10 * 1024**3)
    assert_one_line(doctor(path), "SEND.log")


def test_what_lies_behind_a_hole_is_found(tmp_path):
    path = tmp_path / "maillog"
    with path.open("wb") as file:
        file.seek(6 * 1024**3)
        file.write(f"\n{REFUSAL}\n".encode())
    done = doctor("--json", path)
    assert json.loads(done.stdout)["findings"][0]["evidence"][0]["source"] == "maillog:2"


def test_a_line_that_never_ends_is_cut(tmp_path):
    path = tmp_path / "line.txt"
    with path.open("wb") as file:
        for _ in range(60):
            file.write(b"x" * 10_000_000)
        file.write(f"\n{REFUSAL}\n".encode())
    assert json.loads(doctor("--json", path).stdout)["read"][0]["items"]


@pytest.mark.soak
def test_an_xml_bomb_and_deep_nesting_are_bounded(tmp_path):
    depth = rounds(20_000, large=200_000)
    entities = "".join(f'<!ENTITY e{n + 1} "{f"&e{n};" * 10}">' for n in range(12))
    (tmp_path / "bomb.xml").write_text(f'<!DOCTYPE x [<!ENTITY e0 "ha">{entities}]><Objs Version="1">&e12;</Objs>')
    (tmp_path / "deep.xml").write_text('<Objs Version="1">' + "<Obj>" * depth + "</Obj>" * depth + "</Objs>")
    (tmp_path / "deep.json").write_text('{"Name": ' + "[" * depth)
    (tmp_path / "lines.json").write_text('[\n{"a":\n' * (depth // 3))
    (tmp_path / "bounce.txt").write_text(REFUSAL)
    done = doctor("--json", tmp_path)
    assert done.returncode in (0, 1), done.stderr
    assert "bounce.txt" in {each["source"] for each in json.loads(done.stdout)["read"]}


def test_pipes_devices_and_loops_are_left_alone(tmp_path):
    folder = tmp_path / "evidence"
    folder.mkdir()
    os.mkfifo(folder / "pipe")
    (folder / "itself").symlink_to(folder)
    (folder / "loop").symlink_to(folder / "loop")
    (folder / "zero").symlink_to("/dev/zero")
    (folder / "bounce.txt").write_text(REFUSAL)
    done = doctor("--json", folder)
    assert [each["source"] for each in json.loads(done.stdout)["read"]][:1] == ["bounce.txt"]
    assert_one_line(doctor(folder / "pipe"), "pipe", "regular file")
    assert_one_line(doctor("/dev/zero"), "regular file")
    assert_one_line(doctor(folder / "loop"), "loop")


def test_folders_that_hold_nothing_and_names_that_are_not_there(tmp_path):
    (tmp_path / "empty").mkdir()
    assert_one_line(doctor_here(tmp_path / "empty"), "no file")
    assert_one_line(doctor_here(tmp_path / "missing"), "no such file")
    assert_one_line(doctor_here(), "name files")
    assert_one_line(doctor_here("-", stdin=b""), "empty")


@contextmanager
def as_one_who_may_not_read_everything():
    root = os.geteuid() == 0
    if root:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)


def test_a_file_that_may_not_be_read_is_named():
    with TemporaryDirectory() as folder:
        # Only the file is closed to nobody, not the way to it.
        Path(folder).chmod(0o755)
        secret = Path(folder) / "secret.txt"
        secret.write_text(REFUSAL)
        secret.chmod(0)
        with as_one_who_may_not_read_everything():
            (unread,) = read_files([secret]).unread
    assert (unread.source.file, unread.because) == ("secret.txt", "cannot be opened: Permission denied")


def test_names_and_values_that_are_no_characters_are_saved_and_loaded(tmp_path):
    folder = tmp_path / "evidence"
    folder.mkdir()
    Path(os.fsdecode(bytes(folder) + b"/\xff\x1b[31m.txt")).write_text(REFUSAL)
    (folder / "c.json").write_text('{"Name": "x\\ud800", "ConnectorType": "OnPremises", "Enabled": false}')
    written = ("--save", tmp_path / "saved.json", "--html", tmp_path / "report.html")
    for form in ("--json", "--markdown", "--redact"):
        assert doctor_here(folder, *written, form).returncode in (0, 1)
    doctor_here(folder, *written)
    assert doctor_here("--bundle", tmp_path / "saved.json", "--json").returncode in (0, 1)


@pytest.mark.soak
def test_many_small_files_take_time_in_proportion_and_are_not_listed_one_by_one(tmp_path):
    for number in range(rounds(200, large=6000)):
        (tmp_path / f"{number}.txt").write_text(f"{REFUSAL}\nuser{number}@contoso.example\n")
    done = doctor(tmp_path)
    assert done.returncode in (0, 1), done.stderr
    assert done.stdout.count("\n") < 150
    assert "more" in done.stdout


def test_a_person_is_asked_on_the_terminal_and_nothing_is_shown(pki, tmp_path):
    (tmp_path / "x.pfx").write_bytes(pfx(pki, "geheim"))
    master, terminal = os.openpty()
    environment = {**os.environ, "PYTHONPATH": str(SOURCE)}
    command = [sys.executable, "-m", "gatepost", "doctor", "--json", str(tmp_path / "x.pfx")]
    with subprocess.Popen(
        command, stdin=terminal, stdout=subprocess.PIPE, stderr=terminal, env=environment, start_new_session=True
    ) as process:
        os.close(terminal)
        asked = b""
        while b"password of x.pfx" not in asked:
            asked += os.read(master, 1000)
        os.write(master, b"geheim\n")
        told = process.stdout.read()
        os.close(master)
    assert json.loads(told)["read"][0]["items"] == 2
    assert b"geheim" not in told + asked


# --- certificates that are not text ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def pki(tmp_path_factory):
    return Pki(tmp_path_factory.mktemp("pki"))


def loaded(issued):
    from cryptography import x509

    return x509.load_pem_x509_certificate(issued.pem.encode())


def pfx(pki, password: str | None) -> bytes:
    leaf = pki.leaf("mail.contoso.example")
    protection = serialization.BestAvailableEncryption(password.encode()) if password else serialization.NoEncryption()
    return pkcs12.serialize_key_and_certificates(b"x", leaf.key, loaded(leaf), [loaded(pki.intermediate)], protection)


def test_a_pfx_with_a_password_asks_for_it_and_shows_its_chain(pki, tmp_path):
    (tmp_path / "new.pfx").write_bytes(pfx(pki, "geheim"))
    asked = []

    def password_of(name):
        asked.append(name)
        return "geheim"

    leaf, above = read_files([tmp_path / "new.pfx"], password_of=password_of).certificates
    assert asked == ["new.pfx"]
    assert (leaf.names, leaf.role, leaf.has_private_key) == (("mail.contoso.example",), "new", True)
    assert (above.depth, above.has_private_key) == (1, None)


def test_a_pfx_without_a_password_asks_nobody(pki, tmp_path):
    (tmp_path / "x.p12").write_bytes(pfx(pki, None))
    leaf, _ = read_files([tmp_path / "x.p12"], password_of=lambda name: pytest.fail("asked")).certificates
    assert leaf.has_private_key


@pytest.mark.parametrize(("password", "said"), [(None, "--pfx-password-file"), ("wrong", "does not open")])
def test_a_pfx_that_stays_shut_says_what_to_do(password, said, pki, tmp_path):
    (tmp_path / "x.pfx").write_bytes(pfx(pki, "geheim"))
    (unread,) = read_files([tmp_path / "x.pfx"], password_of=lambda name: password).unread
    assert said in unread.because


def test_the_password_stands_in_a_file_and_without_a_terminal_nobody_is_asked(pki, tmp_path):
    (tmp_path / "x.pfx").write_bytes(pfx(pki, "geheim"))
    (tmp_path / "password").write_text("geheim\n")
    assert_one_line(doctor_here(tmp_path / "x.pfx"), "--pfx-password-file")
    done = doctor_here("--json", "--pfx-password-file", tmp_path / "password", tmp_path / "x.pfx")
    assert json.loads(done.stdout)["read"] == [{"source": "x.pfx", "as": "certificate", "items": 2}]
    assert "geheim" not in done.stdout + done.stderr
    assert_one_line(doctor_here("--pfx-password-file", tmp_path / "none", tmp_path / "x.pfx"), "--pfx-password-file")
    (tmp_path / "old.pem").write_text(pki.leaf("mail.contoso.example").pem)
    next_one = ("--next", tmp_path / "x.pfx", tmp_path / "old.pem")
    assert_one_line(doctor_here(*next_one), "a PFX with a password")
    assert doctor_here(*next_one, "--pfx-password-file", tmp_path / "password").returncode in (0, 1)


@pytest.mark.parametrize("form", [serialization.Encoding.DER, serialization.Encoding.PEM])
def test_a_pkcs7_chain_is_read_leaf_first_in_whatever_order_it_is(form, pki, tmp_path):
    chain = [loaded(pki.root), loaded(pki.intermediate), loaded(pki.leaf("mail.contoso.example"))]
    (tmp_path / "chain.p7b").write_bytes(pkcs7.serialize_certificates(chain, form))
    found = read_files([tmp_path / "chain.p7b"]).certificates
    assert [each.depth for each in found] == [0, 1, 2]
    assert found[0].names == ("mail.contoso.example",)


def test_a_der_certificate_is_read(pki, tmp_path):
    (tmp_path / "x.cer").write_bytes(pki.leaf("mail.contoso.example").der)
    (found,) = read_files([tmp_path / "x.cer"]).certificates
    assert found.not_after.at > datetime.datetime(2020, 1, 1).timestamp()


def test_a_private_key_beside_a_certificate_is_never_quoted(pki, tmp_path):
    leaf = pki.leaf("mail.contoso.example")
    key = leaf.key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
    bundle = read_text(f"{leaf.pem}\n{key}\n{REFUSAL}\n")
    lines = [line for line in key.splitlines() if "PRIVATE" not in line]
    assert len(bundle.certificates) == len(bundle.replies) == 1
    assert not any(line in repr(bundle) for line in lines)


def test_what_a_library_warns_of_is_not_said_to_people(pki, tmp_path):
    chain = pkcs7.serialize_certificates([pki.leaf("mail.contoso.example").certificate], serialization.Encoding.DER)
    (tmp_path / "chain.p7b").write_bytes(chain + b"\0\0")
    done = doctor(tmp_path / "chain.p7b")
    assert done.stderr == ""
    assert "chain.p7b as certificate" in done.stdout
