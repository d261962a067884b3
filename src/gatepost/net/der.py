"""Just enough DER to take a certificate apart when a parser refuses the whole of it for one bad part.

Law: only what the parser refused comes here, and nothing here is trusted; whatever does not fit is a ValueError.
"""

from collections.abc import Iterator

SEQUENCE = 0x30
_EXTENSIONS = 0xA3
"""TBSCertificate.extensions, `[3] EXPLICIT` (RFC 5280 4.1)."""


def one_extension_each(certificate: bytes) -> Iterator[tuple[bytes, bytes]]:
    """For each extension its identifier (DER) and the certificate with that extension alone. Signatures break."""
    tbs, *rest = _children(certificate)
    *fields, extensions = _children(tbs)
    if extensions[0] != _EXTENSIONS:
        return
    (sequence,) = _children(extensions)
    for extension in _children(sequence):
        alone = _element(_EXTENSIONS, _element(SEQUENCE, extension))
        certificate_alone = b"".join([_element(SEQUENCE, b"".join([*fields, alone])), *rest])
        yield _children(extension)[0], _element(SEQUENCE, certificate_alone)


def _children(element: bytes) -> list[bytes]:
    """The elements inside a constructed element, each whole."""
    position, end = _content(element, 0)
    children = []
    while position < end:
        _, after = _content(element, position)
        if after > end:
            raise ValueError("an element is longer than what contains it")
        children.append(element[position:after])
        position = after
    if not children:
        raise ValueError("an element is empty")
    return children


def _content(octets: bytes, start: int) -> tuple[int, int]:
    """Where the content of the element at `start` begins and ends."""
    if start + 2 > len(octets):
        raise ValueError("an element is cut off")
    length = octets[start + 1]
    begin = start + 2
    if length & 0x80:
        width = length & 0x7F
        length = int.from_bytes(octets[begin : begin + width], "big")
        begin += width
    if begin + length > len(octets):
        raise ValueError("an element is cut off")
    return begin, begin + length


def _element(tag: int, content: bytes) -> bytes:
    size = len(content)
    if size < 0x80:
        return bytes((tag, size)) + content
    width = (size.bit_length() + 7) // 8
    return bytes((tag, 0x80 | width)) + size.to_bytes(width, "big") + content
