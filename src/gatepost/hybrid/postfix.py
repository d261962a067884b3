"""Postfix as the sending side: what its settings say, what they should say, and the commands that make them so.

What flows through: the text of `postconf` and `postconf -M`; objects by name (`main.cf default_transport`,
`master.cf gatepost/unix`), each option of a service a field of its own, so that an option somebody added stays;
commands of `postconf`. Law: the certificate is shown by a transport of its own, to the relay and to nobody else.
"""

import re
from collections.abc import Iterator, Mapping
from shlex import quote

from gatepost.hybrid.desire import POSTFIX, Desired
from gatepost.hybrid.merge import Fields
from gatepost.hybrid.plan import Change, DesiredObject, Objects

TRANSPORT = "gatepost"
PARAMETER, SERVICE = "main.cf", "master.cf"

DEFAULT_TRANSPORT = f"{PARAMETER} default_transport"
OWN_SERVICE = f"{SERVICE} {TRANSPORT}/unix"

_OPTION = re.compile(r"\{(?P<braced>[^}]{0,2000})\}|(?P<plain>\S+)")
_STRONGER = frozenset({"verify", "secure", "fingerprint", "dane", "dane-only"})
_BEFORE_DEFAULT = ("transport_maps", "sender_dependent_default_transport_maps", "sender_dependent_relayhost_maps")


def parameters(text: str) -> dict[str, str]:
    """What `postconf` or `postconf -n` prints."""
    pairs = (line.partition("=") for line in text.splitlines() if "=" in line)
    return {name.strip(): value.strip() for name, _, value in pairs}


def services(text: str) -> dict[str, Fields]:
    """What `postconf -M` prints, one service a line, by `name/type`."""
    found: dict[str, Fields] = {}
    for line in text.splitlines():
        words = line.split(None, 7)
        if len(words) == 8:
            command, options = _command(words[7])
            fields = {"columns": " ".join(words[2:7]), "command": command}
            found[f"{words[0]}/{words[1]}"] = {**fields, **{f"-o {name}": value for name, value in options.items()}}
    return found


def _command(text: str) -> tuple[str, dict[str, str]]:
    """`smtp -o a=b -o { c = d e }`: the words before, and the options."""
    words, options = [], {}
    pieces = _OPTION.finditer(text)
    for piece in pieces:
        if piece["plain"] != "-o":
            words.append(piece[0])
            continue
        value = next(pieces, None)
        if value is not None:
            name, _, setting = (value["braced"] or value["plain"] or "").partition("=")
            options[name.strip()] = setting.strip()
    return " ".join(words), options


def observed(set_parameters: Mapping[str, str], all_services: Mapping[str, Fields]) -> dict[str, Fields]:
    """Everything of Postfix that the wizard could touch; a parameter at its default is not there."""
    return {
        **{f"{PARAMETER} {name}": {"value": value} for name, value in set_parameters.items()},
        **{f"{SERVICE} {name}": fields for name, fields in all_services.items()},
    }


def desired_at_postfix(desired: Desired, postfix: Objects, roots: str | None) -> tuple[DesiredObject, ...]:
    """`roots`: a file of authorities on that machine, to judge the relay by."""
    return (_service(desired, postfix, roots), _default_transport(desired))


def _service(desired: Desired, postfix: Objects, roots: str | None) -> DesiredObject:
    now = postfix.get(OWN_SERVICE) or {}
    level = now.get("-o smtp_tls_security_level", "")
    fields = {
        "command": "smtp",
        "-o smtp_tls_security_level": level if level in _STRONGER else "encrypt",
        "-o smtp_tls_cert_file": desired.certificate,
        "-o smtp_tls_key_file": desired.key,
    }
    if roots:
        fields["-o smtp_tls_CAfile"] = roots
    return DesiredObject(
        side=POSTFIX,
        object=OWN_SERVICE,
        fields=fields,
        fresh={"columns": "- - n - -", "command": "smtp"},
        why=f"a transport of its own shows the certificate to {desired.smart_host} and to nobody else, under TLS",
    )


def _default_transport(desired: Desired) -> DesiredObject:
    host = desired.smart_host
    return DesiredObject(
        side=POSTFIX,
        object=DEFAULT_TRANSPORT,
        fields={"value": f"{TRANSPORT}:[{host.host}]:{host.port}"},
        fresh={},
        why=f"mail to the outside goes to {host} by that transport",
        risk="from then on all mail to the outside uses this route",
        presents=True,
    )


def notes(set_parameters: Mapping[str, str]) -> Iterator[str]:
    """What would keep mail from this way."""
    for name in _BEFORE_DEFAULT:
        if set_parameters.get(name):
            yield f"{name} = {set_parameters[name]} comes before default_transport, for the mail that it matches"


# --- as commands ------------------------------------------------------------------------------------------------------


def commands(change: Change) -> list[list[str]]:
    """What makes the change, as arguments of `postconf`."""
    file, _, name = change.object.partition(" ")
    if file == PARAMETER:
        if change.after is None:
            return [["-X", name]]
        return [["-e", f"{name} = {change.after['value']}"]]
    if change.after is None:
        return [["-MX", name]]
    return [["-M", f"{name}={service_line(name, change.after)}"]]


def service_line(name: str, fields: Fields) -> str:
    """A line of master.cf."""
    service, _, kind = name.partition("/")
    options = [_option(field.removeprefix("-o "), value) for field, value in fields.items() if field.startswith("-o ")]
    return " ".join([service, kind, fields["columns"], fields["command"], *options])


def _option(name: str, value: str) -> str:
    return f"-o {{ {name} = {value} }}" if re.search(r"\s", value) or not value else f"-o {name}={value}"


def shell_lines(changes: tuple[Change, ...], config_directory: str | None) -> list[str]:
    """The same, to be typed on the machine."""
    where = ["-c", config_directory] if config_directory else []
    lines = [
        " ".join(map(quote, ["postconf", *where, *arguments]))
        for change in changes
        if change.side == POSTFIX
        for arguments in commands(change)
    ]
    return [*lines, " ".join(map(quote, ["postfix", *where, "reload"]))] if lines else []
