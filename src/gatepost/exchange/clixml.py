"""What Export-Clixml wrote: the objects in it that we know.

Law: nothing in a document makes it bigger than it is; entity declarations end the reading.
"""

import re
from contextlib import suppress
from typing import Any
from xml.parsers import expat

from gatepost.exchange.cmdlet_output import kind_of


def objects_in(text: str) -> list[tuple[int, dict[str, Any]]]:
    """Each with its line, counted from 1. Of a damaged document, what stands before the damage."""
    reader = _Clixml()
    with suppress(expat.ExpatError, _TooMuch, RecursionError):
        reader.parse(text)
    return reader.found


class _TooMuch(Exception):
    """The document declares entities or nests without end."""


class _Clixml:
    """`<Obj>` elements as dictionaries: values of `<Props>` and `<MS>`, lists of `<LST>` and `<IE>`, `<ToString>`."""

    def __init__(self) -> None:
        self.found: list[tuple[int, dict[str, Any]]] = []
        self._stack: list[tuple[str, str, dict[str, Any], list[Any], int]] = []
        self._text: list[str] = []
        self._to_string: dict[int, str] = {}
        self._parser = expat.ParserCreate()
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._text.append
        self._parser.EntityDeclHandler = self._entity

    def parse(self, text: str) -> None:
        self._parser.Parse(text.encode("utf-8", "replace"), True)

    def _entity(self, *_: object) -> None:
        raise _TooMuch

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        if len(self._stack) > 200:
            raise _TooMuch
        self._text.clear()
        self._stack.append((tag, attributes.get("N", ""), {}, [], self._parser.CurrentLineNumber))

    def _end(self, tag: str) -> None:
        _, name, properties, elements, line = self._stack.pop()
        text = "".join(self._text)
        self._text.clear()
        value: Any
        if tag in ("Props", "MS"):
            if self._stack:
                self._stack[-1][2].update(properties)
                for key, each in properties.items():
                    self._stack[-1][2].setdefault(key, each)
            return
        if tag in ("LST", "IE", "STK", "QUE"):
            if self._stack:
                self._stack[-1][3].extend(elements)
                self._stack[-1][2].setdefault("\0list", True)
            return
        if tag == "Obj":
            listed = properties.pop("\0list", False)
            to_string = properties.pop("\0text", "")
            if properties and kind_of(properties):
                self.found.append((line, dict(properties)))
            if listed:
                value = elements
            elif {"CertificateIssuer", "CertificateSubject"} <= set(properties):
                value = to_string or f"<I>{properties['CertificateIssuer']}<S>{properties['CertificateSubject']}"
            else:
                value = (
                    to_string
                    or properties.get("Value")
                    or ", ".join(str(each) for each in properties.values() if isinstance(each, str))
                )
        elif tag == "ToString":
            if self._stack:
                self._stack[-1][2]["\0text"] = text
            return
        elif tag == "Nil":
            value = None
        else:
            value = _unescaped(text)
        if self._stack:
            if name:
                self._stack[-1][2][name] = value
            elif tag not in ("TN", "T", "TNRef", "Ref", "Objs"):
                self._stack[-1][3].append(value)


def _unescaped(text: str) -> str:
    return re.sub(r"_x([0-9A-Fa-f]{4})_", lambda match: chr(int(match[1], 16)), text)
