"""Where this server's own certificates and tokens are: files of the configuration, of connectors and of the wizard.

Reading is all that happens here; what follows from it is in `admin.own_credentials`.
"""

import time
from collections.abc import Iterator
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from threading import Lock

from gatepost.admin.directory.editor import DirectoryEditor
from gatepost.admin.forecast.forecast import HORIZON, ForecastCode, ForecastItem, forecast
from gatepost.admin.forecast.own_credentials import OwnCertificate, of_certificates, of_relay_token, of_tokens
from gatepost.app import forecast_terms, open_seen_servers
from gatepost.app.hybrid import installation, wizard_folder
from gatepost.config import Config
from gatepost.hybrid.relay_token import noted_token
from gatepost.net.certificates import CredentialError, read_chain
from gatepost.net.files import FileSignature, signature
from gatepost.tenancy.evidence import CertificateFacts
from gatepost.tenancy.tenant import InboundConnector, SendConnector

_FRESH_FOR_S = 300.0
_MOST_REMEMBERED = 1024
"""Certificates, until their file changes."""


def foreseen(config: Config, editor: DirectoryEditor, at: datetime, tenant: str | None = None) -> list[ForecastItem]:
    """Everything that will stop working, the nearest first; of one tenant, or of all and of the server itself."""
    found = [*forecast(editor, open_seen_servers(config).of(tenant), at, forecast_terms(config), tenant)]
    found += own(config, editor, at, tenant)
    return sorted(found, key=lambda each: (each.due_at is None, each.due_at or at, each.tenant, each.connector))


class RememberedForecast:
    """The last forecast of all tenants, at most five minutes old: it looks at every connector."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._at = -_FRESH_FOR_S
        self._found: list[ForecastItem] = []

    def all(self, config: Config, editor: DirectoryEditor, at: datetime) -> list[ForecastItem]:
        with self._lock:
            if time.monotonic() - self._at >= _FRESH_FOR_S:
                self._found = foreseen(config, editor, at)
                self._at = time.monotonic()
            return self._found


def own(config: Config, editor: DirectoryEditor, at: datetime, tenant: str | None = None) -> Iterator[ForecastItem]:
    """Of the server's own certificates and tokens, and those of tenants' connectors."""
    yield from of_certificates(certificates(config, editor, tenant), at)
    yield from of_tokens(editor.all_tokens(tenant), at)
    if tenant is None:
        yield from _of_edge(config, at)


def _of_edge(config: Config, at: datetime) -> Iterator[ForecastItem]:
    """The token that this edge rehearses its renewals with, as the relay last told of it."""
    token = noted_token(wizard_folder(config))
    if token and token.expires_at and token.expires_at - at <= HORIZON and not token.is_left_alone(at):
        yield of_relay_token(token.id, token.expires_at, at)


def certificates(config: Config, editor: DirectoryEditor, tenant: str | None = None) -> Iterator[OwnCertificate]:
    if tenant is None:
        yield from of_configuration(config)
    for sent in editor.all_send_connectors(tenant):
        if sent.certificate and sent.enabled:
            yield of_send_connector(config, sent)
    for inbound in editor.all_inbound_connectors(tenant):
        if inbound.enabled:
            yield from anchors_of(inbound)


def of_configuration(config: Config) -> Iterator[OwnCertificate]:
    for files in config.tls.certificates if config.tls else ():
        yield _of_file(files.certificate, "the server certificate")


def of_send_connector(config: Config, connector: SendConnector) -> OwnCertificate:
    """What it presents now, which may be a copy of an earlier file."""
    assert connector.certificate, "asked of those that have one"
    what = f"the certificate of send connector {connector.name}"
    file = Path(connector.certificate)
    shown = installation(config).presented.of(connector.certificate, connector.key or "")
    own = _of_file(file, what, tenant=connector.tenant or "", connector=connector.name)
    if shown is None or shown.leaf.sha256 == own.sha256:
        return own
    return _facts(shown.chain, file, what, connector.tenant or "", connector.name, kept_back=True)


def anchors_of(connector: InboundConnector) -> Iterator[OwnCertificate]:
    for anchor in connector.trust_anchors:
        for facts in _read_text(anchor):
            yield OwnCertificate(
                code=ForecastCode.TRUST_ANCHOR_EXPIRES,
                tenant=connector.tenant,
                connector=connector.name,
                what="the trust anchor",
                file="",
                sha256=facts.sha256,
                subject=facts.subject,
                names=(),
                not_after=facts.not_after,
            )


def _of_file(file: Path, what: str, tenant: str = "", connector: str = "") -> OwnCertificate:
    try:
        return _facts(_read_file(file, signature(file)), file, what, tenant, connector)
    except CredentialError as error:
        return OwnCertificate(
            code=ForecastCode.OWN_CERTIFICATE_EXPIRES,
            tenant=tenant,
            connector=connector,
            what=what,
            file=str(file),
            sha256="",
            subject="",
            names=(),
            not_after=None,
            problem="its file cannot be read" if tenant else str(error),
        )


# Whoever is asked for metrics looks at all of them every few seconds.


@lru_cache(_MOST_REMEMBERED)
def _read_file(file: Path, seen_as: FileSignature | None) -> tuple[CertificateFacts, ...]:
    return read_chain(file)


@lru_cache(_MOST_REMEMBERED)
def _read_text(pem: str) -> tuple[CertificateFacts, ...]:
    return read_chain(pem.encode())


def _facts(
    chain: tuple[CertificateFacts, ...], file: Path, what: str, tenant: str, connector: str, *, kept_back: bool = False
) -> OwnCertificate:
    """Of the leaf, until the first of the chain ends: without an intermediate nobody recognises it."""
    ends = [each.not_after for each in chain if each.not_after]
    return OwnCertificate(
        code=ForecastCode.OWN_CERTIFICATE_EXPIRES,
        tenant=tenant,
        connector=connector,
        what=what,
        file=str(file),
        sha256=chain[0].sha256,
        subject=chain[0].subject,
        names=chain[0].names,
        not_after=min(ends, default=None),
        kept_back=kept_back,
    )
