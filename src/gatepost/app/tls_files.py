"""Certificates and roots of one worker: read once, and again when their files change."""

from collections.abc import Callable

from gatepost.app import open_judge
from gatepost.app.hybrid import wizard_folder
from gatepost.config import Config, ListenerConfig
from gatepost.hybrid.installation import presented_folder
from gatepost.hybrid.presented_certificate import PresentedFiles
from gatepost.logs.event_log import EventLog
from gatepost.net.intermediates import KnownIntermediates
from gatepost.net.judgement import Judge
from gatepost.net.tls_client import ClientTlsContexts
from gatepost.net.tls_server import ServerTlsContexts
from gatepost.tenancy.evidence import CertificateFacts


class TlsFiles:
    def __init__(self, config: Config, events: EventLog, intermediates: KnownIntermediates) -> None:
        self._config = config
        self._events = events
        self._intermediates = intermediates
        self._refreshes: list[Callable[[], str | None]] = []
        """Each loads again what changed, and returns what is wrong with it."""

    def for_next_hops(self) -> ClientTlsContexts:
        judge = Judge(self._config.tls.server_roots if self._config.tls else None, required_purpose="serverAuth")
        presented = PresentedFiles(presented_folder(wizard_folder(self._config)))
        contexts = ClientTlsContexts(judge, self._renewed, presented)
        self._refreshes += [judge.refresh, presented.refresh, contexts.refresh]
        return contexts

    def judge_for(self, listener: ListenerConfig) -> Judge:
        judge = open_judge(self._config, listener, self._intermediates)
        self._refreshes.append(judge.refresh)
        return judge

    def for_listener(self, listener: ListenerConfig, judge: Judge) -> ServerTlsContexts | None:
        tls = self._config.tls
        if tls is None or not listener.starttls:
            return None
        files = [(each.certificate, each.key) for each in tls.certificates]
        contexts = ServerTlsContexts(files, judge, self._renewed)
        self._refreshes.append(contexts.refresh)
        return contexts

    def look(self) -> None:
        for refresh in self._refreshes:
            if problem := refresh():
                self._events.emit("certificate-not-loaded", problem=problem)

    def _renewed(self, leaf: CertificateFacts) -> None:
        self._events.emit(
            "certificate-renewed",
            subject=leaf.subject,
            names=", ".join(leaf.names),
            not_after=leaf.not_after,
            sha256=leaf.sha256,
        )
