"""Pages from templates.

Laws: what strangers wrote is text, never markup, and shows all that it holds; nothing on a page comes from elsewhere,
and no page runs or styles anything but our files.
"""

from datetime import UTC, datetime
from functools import cache
from typing import Any, Final
from urllib.parse import quote, urlencode

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from markupsafe import Markup, escape
from starlette.responses import HTMLResponse

from gatepost import __version__
from gatepost.console.visit import Visit
from gatepost.errors import Named, Refused, Sentence, written
from gatepost.mail.visible import visible, visible_lines
from gatepost.tenancy.fields import Field

POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)
HEADERS: Final = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Strict-Transport-Security": "max-age=31536000",
    "Cache-Control": "no-store",
}


def page(visit: Visit, template: str, status: int = 200, /, **shown: Any) -> HTMLResponse:
    text = (
        _environment()
        .get_template(template)
        .render(visit=visit, visitor=visit.visitor, hostname=visit.config.hostname, version=__version__, **shown)
    )
    return HTMLResponse(text, status, HEADERS)


def link(path: str, /, **query: object) -> str:
    """An address on this server; what is None is left out."""
    said = {name.removesuffix("_"): str(value) for name, value in query.items() if value is not None}
    return quote(path, safe="/:@.-_~") + (f"?{urlencode(said)}" if said else "")


def with_query(visit: Visit, **changes: object) -> str:
    """The page that is shown, with other filters."""
    said = {**visit.query, **changes}
    return link(visit.path, **{name: value for name, value in said.items() if value not in (None, "")})


def label_of(field: Named) -> str:
    text = (field.label if isinstance(field, Field) else "") or field.name.replace("_", " ")
    return text[:1].upper() + text[1:]


def in_words(sentence: Sentence) -> str:
    """As a form calls its fields."""
    return written(sentence, lambda named: f"“{label_of(named)}”")


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("gatepost.console"),
        autoescape=select_autoescape(default=True, default_for_string=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_finalized,
    )
    environment.filters.update(
        when=when, moment=moment, seconds=seconds, octets=octets, number=number, lines=_lines, segment=_segment
    )
    environment.globals.update(link=link, with_query=with_query)
    return environment


def _finalized(value: Any) -> Any:
    if value is None:
        return ""
    if isinstance(value, Refused):
        do = in_words(value.said.next_step)
        value = in_words(value.said.message) + (f"; {do}" if do else "")
    return visible(value) if isinstance(value, str) and not hasattr(value, "__html__") else value


def _lines(text: str) -> Markup:
    return Markup(escape(visible_lines(text)))


def _segment(text: str) -> str:
    return quote(text, safe="")


def when(at: str | datetime | None, precise: bool = False) -> Markup:
    """In UTC; the page's script adds the local time for whoever points at it."""
    if not at:
        return Markup('<span class="none">never</span>')
    if isinstance(at, str):
        at = datetime.fromisoformat(at)
    at = at.astimezone(UTC)
    shown = f"{at:%Y-%m-%d %H:%M:%S}" + (f".{at.microsecond // 1000:03d}" if precise else "")
    return Markup('<time datetime="{}">{}</time>').format(
        f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03d}Z", shown
    )


def moment(at: float) -> Markup:
    """Of seconds since the epoch."""
    return when(datetime.fromtimestamp(at, UTC))


def seconds(value: float) -> str:
    return f"{value * 1000:g} ms" if value < 1 else f"{value:g} s"


def number(value: int) -> str:
    return f"{value:,}"


def octets(size: int | None) -> str:
    if size is None:
        return ""
    if size < 1024:
        return f"{size} bytes"
    amount, unit = (size / 1024, "KiB") if size < 1024**2 else (size / 1024**2, "MiB")
    return f"{amount:.1f} {unit}"
