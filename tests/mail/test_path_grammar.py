"""RFC 5321 4.1.2, 4.1.3 and RFC 6531 3.3: paths in, paths out."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatepost.mail.address import NULL_REVERSE_PATH, Mailbox, ReversePath
from gatepost.mail.path_grammar import (
    BadPath,
    read_forward_path,
    read_mailbox,
    read_reverse_path,
)

_atext = st.text("abcXYZ019!#$%&'*+/=?^_`{|}~-é漢", min_size=1, max_size=8)
_quoted = st.text('ab \t<>@,;:.()[]é"\\', max_size=8).map(
    lambda text: '"' + text.replace("\t", "").replace("\\", "\\\\").replace('"', '\\"') + '"'
)
_local_parts = st.one_of(st.lists(_atext, min_size=1, max_size=3).map(".".join), _quoted)
_labels = st.from_regex(r"[a-zA-Z0-9]([a-zA-Z0-9_-]{0,8}[a-zA-Z0-9])?", fullmatch=True).filter(
    lambda label: not label.lower().startswith("xn--")
)
_domains = st.one_of(
    st.lists(_labels, min_size=1, max_size=4).map(".".join),
    st.sampled_from(["münchen.example", "παράδειγμα.δοκιμή"]),
    st.ip_addresses(v=4).map(lambda address: f"[{address}]"),
    st.ip_addresses(v=6).map(lambda address: f"[IPv6:{address}]"),
)
_mailboxes = st.builds(lambda local_part, domain: f"{local_part}@{domain}", _local_parts, _domains)


@given(_mailboxes, st.sampled_from(["", " SIZE=1", "x"]))
def test_a_path_read_and_rendered_is_the_same_path(text: str, following: str) -> None:
    read = read_reverse_path(f"<{text}>{following}")
    assert not isinstance(read, BadPath)
    path, end, irregular = read
    assert irregular is None
    assert f"<{path}>" == f"<{text}>"
    assert end == len(text) + 2
    assert read_forward_path(f"<{path}>", postmaster_at="relay.example.net") == (path, end, None)
    assert isinstance(path, Mailbox) and text.startswith(path.local_part)
    assert read_mailbox(text) == path


@given(st.text('<>@.:,"\\[] abé\0\r\n', max_size=30))
def test_reading_never_raises(text: str) -> None:
    for irregular in (False, True):
        read_reverse_path(text, irregular=irregular)
        read_forward_path(text, postmaster_at="relay.example.net", irregular=irregular)
    read_mailbox(text)


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("<>", NULL_REVERSE_PATH),
        ("<Ann@Tenant.Example>", Mailbox("Ann", "tenant.example", "Ann@Tenant.Example")),
        ("<ann@MÜNCHEN.example>", Mailbox("ann", "xn--mnchen-3ya.example", "ann@MÜNCHEN.example")),
        ('<"a@b"@tenant.example>', Mailbox('"a@b"', "tenant.example", '"a@b"@tenant.example')),
        ("<@a.example,@b.example:ann@tenant.example>", Mailbox("ann", "tenant.example", "ann@tenant.example")),
        ("<ann@[192.0.2.1]>", Mailbox("ann", "[192.0.2.1]", "ann@[192.0.2.1]")),
        ("<ann@[ipv6:2001:DB8:0::1]>", Mailbox("ann", "[IPv6:2001:db8::1]", "ann@[ipv6:2001:DB8:0::1]")),
    ],
)
def test_a_reverse_path_is_read(text: str, path: ReversePath) -> None:
    read = read_reverse_path(f"FROM:{text}", 5)
    assert not isinstance(read, BadPath)
    assert read.path == path
    assert str(read.path) == str(path)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ann@tenant.example",
        "<ann@tenant.example",
        "<ann>",
        "<@tenant.example>",
        "<ann@>",
        "<ann@tenant.example.>",
        "<ann@.tenant.example>",
        "<a..b@tenant.example>",
        "<ann.@tenant.example>",
        '<"ann@tenant.example>',
        '<"an"n@tenant.example>',
        "<ann@[192.0.2.1>",
        "<ann@[192.0.2.01]>",
        "<ann@[2001:db8::1]>",
        "<ann@[IPv6:2001:db8::1%eth0]>",
        "<ann@tenant.example\0>",
        "<ann\r\n@tenant.example>",
        f"<{'a' * 65}@tenant.example>",
        f"<{'é' * 33}@tenant.example>",
        f"<ann@{'a' * 64}.example>",
        f"<ann@{'.'.join(['a' * 50] * 5)}>",
        f"<ann@{'.'.join(['a' * 2] * 86)}>",
    ],
)
def test_what_is_no_path_is_said_in_one_clause(text: str) -> None:
    bad = read_reverse_path(text)
    assert isinstance(bad, BadPath)
    assert bad.says.isascii() and bad.says.isprintable()


@pytest.mark.parametrize("text", ["<ann@tenant.example>", "@a.example:ann@tenant.example", "", "ann@tenant.example "])
def test_a_mailbox_by_itself_has_neither_brackets_nor_route(text: str) -> None:
    assert isinstance(read_mailbox(text), BadPath)


_irregular = st.one_of(
    st.text("ab.é", min_size=1, max_size=12).map(lambda local_part: f"<{local_part}@tenant.example>"),
    st.text("ab", min_size=65, max_size=255).map(lambda local_part: f"<{local_part}@tenant.example>"),
    st.sampled_from(["ann@tenant.example", '"a b"@tenant.example', "a..b@[192.0.2.1]"]),
)


@given(_irregular, st.sampled_from(["", " SIZE=1"]))
def test_an_irregular_path_is_kept_as_it_was_written_and_said_to_be_irregular(text: str, following: str) -> None:
    read = read_reverse_path(text + following, irregular=True)
    assert not isinstance(read, BadPath)
    assert str(read.path) == text.strip("<>") and read.end == len(text)
    strict = read_reverse_path(text + following)
    assert read.irregular == (strict if isinstance(strict, BadPath) else None)
    forward = read_forward_path(text + following, postmaster_at="relay.example.net", irregular=True)
    assert not isinstance(forward, BadPath) and (forward.path, forward.end) == (read.path, read.end)
    assert read_mailbox(text.strip("<>"), irregular=True) == read.path


@pytest.mark.parametrize(
    "text",
    [
        "a b@c.example",
        "a@b@c.example",
        "<a@b.example",
        "a@b.example>",
        "<a@b..c>",
        "@b.example",
        "a@b.example,c@d.example",
    ],
)
def test_what_nobody_takes_for_a_path_is_none_however_irregular(text: str) -> None:
    assert isinstance(read_reverse_path(text, irregular=True), BadPath)
