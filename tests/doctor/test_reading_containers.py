"""Whatever a file is packed or encoded in, what it holds is read, within limits; what was not understood is named."""

# ruff: noqa: E501, RUF001 - evidence is as long as it is, with the signs that it has

import gzip
import io
import zipfile
from base64 import encodebytes

import pytest

from gatepost.doctor.readers import archives
from gatepost.doctor.readers.encodings import decode
from gatepost.doctor.reading import Collection, read_octets
from gatepost.doctor.redaction import redacted

REFUSAL = "550 5.7.64 TenantAttribution; Relay Access Denied"


def read(octets: bytes, name: str = "x"):
    collection = Collection()
    read_octets(name, octets, collection)
    return collection.bundle()


def zipped(files: dict[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, octets in files.items():
            archive.writestr(name, octets)
    return packed.getvalue()


# --- archives and documents ----------------------------------------------------------------------------------------


def test_the_members_of_an_archive_are_files_of_their_own():
    bundle = read(zipped({"logs/a.txt": REFUSAL.encode(), "b.bin": b"\x89PNG..", "c/": b""}), "case.zip")
    assert [str(each.source) for each in bundle.replies] == ["case.zip/logs/a.txt:1"]
    assert [each.source.file for each in bundle.unread] == ["case.zip/b.bin"]


def test_an_archive_within_an_archive_is_opened_until_it_is_too_deep():
    packed = REFUSAL.encode()
    for level in range(archives.DEEPEST):
        packed = zipped({f"{level}": packed})
    assert len(read(packed).replies) == 1
    bundle = read(zipped({"deeper": packed}))
    assert not bundle.replies
    assert "archive within archives" in bundle.unread[0].because


def test_an_archive_that_unpacks_without_end_is_cut_off():
    bundle = read(zipped({"bomb": bytes(archives.LARGEST_MEMBER + 1), "a.txt": REFUSAL.encode()}))
    assert ["too large" in each.because for each in bundle.unread] == [True]
    assert len(bundle.replies) == 1


def test_all_members_together_have_a_limit(monkeypatch):
    monkeypatch.setattr(archives, "LARGEST_IN_ALL", 3000)
    bundle = read(zipped({f"{n}.txt": b" " * 1000 + REFUSAL.encode() for n in range(6)}))
    assert len(bundle.replies) == 2
    assert len(bundle.unread) == 4


def test_of_very_many_members_the_first_are_read(monkeypatch):
    monkeypatch.setattr(archives, "MOST_MEMBERS", 3)
    bundle = read(zipped({f"{n}.txt": REFUSAL.encode() for n in range(5)}))
    assert len(bundle.replies) == 3
    assert "holds 5 files" in bundle.unread[0].because


def test_of_a_word_document_the_paragraphs_are_lines_and_cells_stand_in_rows():
    document = (
        "<w:document><w:body><w:p><w:r><w:t>Since Monday: </w:t></w:r><w:r><w:t>" + REFUSAL + "</w:t></w:r></w:p>"
        "<w:tbl><w:tr><w:tc><w:p><w:r><w:t>Thumbprint</w:t></w:r></w:p></w:tc>"
        "<w:tc><w:p><w:r><w:t>Services</w:t></w:r></w:p></w:tc><w:tc><w:p><w:r><w:t>Subject</w:t></w:r></w:p></w:tc></w:tr>"
        f"<w:tr><w:tc><w:p><w:r><w:t>{'A1' * 20}</w:t></w:r></w:p></w:tc>"
        "<w:tc><w:p><w:r><w:t>IIS, SMTP</w:t></w:r></w:p></w:tc><w:tc><w:p><w:r><w:t>CN=mail.tern.example</w:t></w:r></w:p></w:tc></w:tr>"
        "</w:tbl></w:body></w:document>"
    )
    bundle = read(zipped({"[Content_Types].xml": b"<x/>", "word/document.xml": document.encode()}), "case.docx")
    assert [each.enhanced for each in bundle.replies] == ["5.7.64"]
    (certificate,) = bundle.certificates
    assert (certificate.thumbprint, certificate.services) == ("A1" * 20, "IIS, SMTP")
    assert certificate.subject.common_name == "mail.tern.example"


def test_a_compressed_log_is_read():
    assert len(read(gzip.compress(REFUSAL.encode()), "mail.log.1.gz").replies) == 1


def test_a_member_that_would_leave_its_folder_is_only_a_name():
    (reply,) = read(zipped({"..\\..\x1b[2J/etc/passwd": REFUSAL.encode()}), "x.zip").replies
    assert "\x1b" not in reply.source.file


def test_files_attached_to_a_mail_are_read_by_their_own_names():
    mail = "\n".join(
        [
            "From: it@tern.example",
            "Message-ID: <1@tern.example>",
            "MIME-Version: 1.0",
            'Content-Type: multipart/mixed; boundary="b"',
            "",
            "--b",
            "Content-Type: text/plain",
            "",
            "See what is attached, please.",
            "--b",
            'Content-Type: application/zip; name="logs.zip"',
            "Content-Transfer-Encoding: base64",
            "Content-Disposition: attachment",
            "",
            encodebytes(zipped({"EX1/send.txt": REFUSAL.encode()})).decode(),
            "--b",
            "Content-Type: text/csv",
            "Content-Disposition: attachment; filename*=utf-8''EX2%20certs.csv",
            "",
            "Thumbprint,Services,Subject",
            f"{'B2' * 20},SMTP,CN=mail.tern.example",
            "--b--",
        ]
    )
    bundle = read(mail.encode(), "mail.eml")
    assert [each.source.file for each in bundle.replies] == ["mail.eml/logs.zip/EX1/send.txt"]
    assert [str(each.source) for each in bundle.certificates] == ["mail.eml/EX2 certs.csv:2"]


# --- encodings -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("encoding", "words"),
    [
        ("cp932", "証明書の更新のあと、メールが届きません"),
        ("cp850", "Prüfung für größere Änderungen"),
        ("cp1252", "Prüfung für größere Änderungen – „so“"),
        ("utf-16", "Příčina: certifikát"),
        ("utf-8-sig", "Příčina: certifikát"),
    ],
)
def test_a_text_is_read_in_the_encoding_it_has(encoding, words):
    assert decode(f"{words}\r\n{REFUSAL}\r\n".encode(encoding)) == f"{words}\r\n{REFUSAL}\r\n"


def test_letters_that_a_program_doubled_are_put_right():
    assert decode("Prüfung – läuft".encode().decode("cp1252").encode()) == "Prüfung – läuft"


# --- what was not understood ---------------------------------------------------------------------------------------


def test_what_no_reader_understood_is_named_with_its_line():
    log = (
        f"2031-05-06 07:08:09 quux: frobnicated=3 depth=9\n{REFUSAL}\n\n%XY-9-ODD: [a]\n%XY-9-ODD: [b]\n%XY-9-ODD: [c]"
    )
    unread = read(log.encode(), "odd.log").unread
    assert [(str(each.source), each.because) for each in unread] == [
        ("odd.log:1", "not understood: '2031-05-06 07:08:09 quux: frobnicated=3 depth=9'"),
        ("odd.log:4", "not understood: '%XY-9-ODD: [a]' and 2 more lines"),
    ]


def test_what_people_say_is_no_remainder():
    assert not read(
        f"Good morning,\nwe replaced the firewall on Monday and since then this comes:\n{REFUSAL}".encode()
    ).unread


def test_a_log_of_which_much_is_unknown_is_not_listed_line_by_line():
    unread = read("\n".join(f"<{n}> %XY={n}\n{REFUSAL}" for n in range(100)).encode()).unread
    assert len(unread) < 10
    assert "in 94 more places" in unread[-1].because


def test_a_password_in_what_was_not_understood_is_not_quoted():
    (unread,) = read(f"frobnicator_password=hunter2\n{REFUSAL}".encode()).unread
    assert unread.because == "not understood: 'frobnicator_password=***'"


def test_names_in_what_was_not_understood_are_hidden_with_the_others():
    bundle = read(f"%XY-1: [host mail.secretcorp.example]\n{REFUSAL}\nann@secretcorp.example\n".encode())
    assert "secretcorp" in bundle.unread[0].because
    assert "secretcorp" not in redacted(bundle, b"key").unread[0].because
