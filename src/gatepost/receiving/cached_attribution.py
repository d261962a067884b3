"""Attribution with a memory: equal facts under the same directory version get the same verdict within a minute.

Laws: the verdict depends on the reverse-path and the last forward-path, and on them through their domains only, so that
the thousandth recipient of a domain costs what the second did, and the memory is small; no refusal rests on an outdated
directory, since an administrator who has repaired a connector may send the next moment.
"""

from collections import OrderedDict
from datetime import datetime
from typing import Final

from gatepost.mail.address import Mailbox
from gatepost.tenancy.attribution import GATEPOST, Attribution, RuleSet, attribute
from gatepost.tenancy.candidates import ChainJudge, gather
from gatepost.tenancy.directory import RefreshedDirectory
from gatepost.tenancy.evidence import Evidence

_VERDICTS_KEPT: Final = 4096


class CachedAttribution:
    def __init__(self, directory: RefreshedDirectory, judge: ChainJudge, rules: RuleSet = GATEPOST) -> None:
        self._directory = directory
        self.judge = judge
        self._rules = rules
        self._kept: OrderedDict[tuple[object, ...], Attribution] = OrderedDict()

    @property
    def version(self) -> int:
        """Of the directory that a verdict would rest on now."""
        return self._directory.version

    def __call__(self, evidence: Evidence, at: datetime) -> Attribution:
        attribution = self._remembered(evidence, at)
        if attribution.refusal and self._directory.refresh():
            return self._remembered(evidence, at)
        return attribution

    def _remembered(self, evidence: Evidence, at: datetime) -> Attribution:
        key = self._key(evidence, at)
        kept = self._kept.get(key)
        if kept is None:
            candidates = gather(self._directory, evidence, self.judge, at)
            kept = self._kept[key] = attribute(evidence, candidates, at, self._rules)
            if len(self._kept) > _VERDICTS_KEPT:
                self._kept.popitem(last=False)
        return kept

    def _key(self, evidence: Evidence, at: datetime) -> tuple[object, ...]:
        tls, certificate, reverse_path = evidence.tls, evidence.certificate, evidence.reverse_path
        return (
            self._directory.version,
            int(at.timestamp() // 60),
            evidence.address,
            tls is not None,
            certificate and (type(certificate), tuple([each.sha256 for each in certificate.chain])),
            # What was learnt of intermediates meanwhile words the reason anew.
            getattr(certificate, "missing_issuer", ""),
            reverse_path.domain if isinstance(reverse_path, Mailbox) else None,
            # A relay's rules judge each recipient by itself, whoever was asked for before.
            evidence.forward_paths[-1].domain,
        )
