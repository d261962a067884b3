"""What `probe` asks, with a real socket behind it."""

import asyncio
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from gatepost.admin.sessions.probe import ProbeResult, Question, probe
from gatepost.config import Config
from gatepost.net.judgement import Judge
from gatepost.net.probe import dial
from gatepost.net.tls_client import ClientTlsContexts


def run_probe(
    question: Question,
    certificate: Path | None,
    key: Path | None,
    timeout_s: float,
    config: Config | None,
    source_address: str | None = None,
) -> ProbeResult:
    """Hold the session. `certificate` and `key` are known to fit together; the host's chain is judged as delivery would
    judge it, without `config` by the system's roots."""
    roots = config.tls.server_roots if config and config.tls else None
    contexts = ClientTlsContexts(Judge(roots, required_purpose="serverAuth"))
    files = (str(certificate) if certificate else None, str(key) if key else None)
    call = partial(dial, question.host.host, question.host.port, contexts, *files, timeout_s, source_address)
    return asyncio.run(probe(call, question, datetime.now(UTC)))
