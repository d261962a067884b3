"""What Postfix does where nothing is written: the defaults of the version that the evidence names.

What flows: the settings of a whole `postconf -n` or main.cf in, the defaults that it leaves in force out. Laws: a page
that shows only some settings gives none, since what it does not show may be written; a default that changed gives
nothing where the version is not told. COMPATIBILITY_README of Postfix 3.11 has the levels.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from gatepost.doctor.evidence import PostfixSetting

_Version = tuple[int, ...]


class _Default(NamedTuple):
    value: str
    since: _Version = ()
    """The version from which it holds; empty: always."""
    level: _Version = ()
    """The compatibility_level from which it holds, of versions that have one."""


# Later entries of a name win.
_DEFAULTS: Final[dict[str, tuple[_Default, ...]]] = {
    "relayhost": (_Default(""),),
    "smtp_tls_security_level": (_Default(""),),
    "smtpd_tls_security_level": (_Default(""),),
    "smtp_tls_cert_file": (_Default(""),),
    "smtp_tls_chain_files": (_Default("", (3, 4)),),
    "smtp_sasl_auth_enable": (_Default("no"),),
    "smtp_bind_address": (_Default(""),),
    "smtp_bind_address6": (_Default(""),),
    "smtp_host_lookup": (_Default("dns"),),
    "smtp_tls_CAfile": (_Default(""),),
    "smtp_tls_CApath": (_Default(""),),
    "smtpd_tls_ask_ccert": (_Default("no"),),
    "smtpd_tls_cert_file": (_Default(""),),
    "inet_protocols": (_Default("ipv4", (2, 8)), _Default("all", (2, 9))),
    "smtpd_tls_fingerprint_digest": (_Default("md5", (2, 5)), _Default("sha256", (3, 6), (3, 6))),
    "smtp_tls_fingerprint_digest": (_Default("md5", (2, 5)), _Default("sha256", (3, 6), (3, 6))),
    "smtp_tls_mandatory_protocols": (_Default("!SSLv2, !SSLv3", (2, 11)), _Default(">=TLSv1", (3, 6))),
    "smtpd_relay_restrictions": (
        _Default("permit_mynetworks, permit_sasl_authenticated, defer_unauth_destination", (2, 10)),
        _Default("", (3, 0)),
        _Default("permit_mynetworks, permit_sasl_authenticated, defer_unauth_destination", (3, 0), (1,)),
    ),
    "append_dot_mydomain": (_Default("yes"), _Default("no", (3, 0), (1,))),
    "mynetworks_style": (_Default("subnet"), _Default("host", (3, 0), (2,))),
    "smtputf8_enable": (_Default("no", (3, 0)), _Default("yes", (3, 0), (1,))),
}
_BY_OTHERS: Final = {
    "smtp_tls_security_level": ("smtp_use_tls", "smtp_enforce_tls", "smtp_tls_per_site"),
    "smtpd_tls_security_level": ("smtpd_use_tls", "smtpd_enforce_tls"),
    "mynetworks_style": ("mynetworks",),
}
"""Older settings that say the same."""
_CHROOT: Final = (_Default("y"), _Default("n", (3, 0), (1,)))
_NEWEST: Final = (3, 11)
"""Since then what smtp_tls_security_level is depends on how Postfix was built."""


def defaults_of(settings: Sequence[PostfixSetting]) -> Iterator[PostfixSetting]:
    """What is in force besides `settings`, all of a main.cf; each stands where the version does, else on the first."""
    written = {each.name: each.value for each in settings if not each.service}
    version, level = _version(written.get("mail_version", "")), _version(written.get("compatibility_level", ""))
    shown = next((each for each in settings if each.name == "mail_version"), settings[0])
    for name, changes in _DEFAULTS.items():
        if name in written or any(each in written for each in _BY_OTHERS.get(name, ())):
            continue
        if name == "smtp_tls_security_level" and version >= _NEWEST:
            continue
        if (value := _in_force(changes, version, level)) is not None:
            yield PostfixSetting(
                source=shown.source, quote=shown.quote, name=name, value=value, server=shown.server, assumed=True
            )


def chroot_of(flag: str, settings: Sequence[PostfixSetting]) -> str | None:
    """`y` or `n` as a service of master.cf has it, `-` meaning the default; None: the version is not told."""
    if flag in ("y", "n"):
        return flag
    written = {each.name: each.value for each in settings if not each.service}
    return _in_force(
        _CHROOT, _version(written.get("mail_version", "")), _version(written.get("compatibility_level", ""))
    )


def _in_force(changes: Sequence[_Default], version: _Version, level: _Version) -> str | None:
    if not version and level:
        version = max(level, (3, 0))  # there were no levels before
    if len(changes) == 1 and (not changes[0].since or version >= changes[0].since):
        return changes[0].value
    if not version:
        return None
    if version >= (3, 6) and any(each.level > level for each in changes) and not level:
        level = (0,)
    found = [each.value for each in changes if version >= each.since and level >= each.level]
    return found[-1] if found else None


def _version(text: str) -> _Version:
    found = re.match(r"\s*(\d{1,3})(?:\.(\d{1,3}))?", text)
    return tuple(int(each) for each in found.groups() if each) if found else ()
