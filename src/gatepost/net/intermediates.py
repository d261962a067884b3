"""A leaf whose issuer nobody knows: is its root unknown, or did the peer only forget to send an intermediate?

The chain itself looks the same in both cases, so this weighs what the last presented certificate says about its issuer.
A wrong "you forgot the intermediate" sends an administrator after the wrong file: in doubt the answer is no.
"""

import re

from gatepost.net.certificates import lineage
from gatepost.net.roots import TrustStore
from gatepost.tenancy.evidence import CertificateFacts

_INTERMEDIATE_WORD = re.compile(r"(?<![a-z])(intermed|issuing|subord|sub-?ca|sub(?![a-z])|int(?![a-z])|ica(?![a-z]))")
_ROOT_WORD = re.compile(r"(?<![a-z])root|root(?![a-z])")


def intermediate_is_missing(top: CertificateFacts, trust: TrustStore) -> bool:
    """Whether the issuer of `top`, the last certificate that was presented, is an intermediate under `trust`."""
    if trust.has_anchor_named(top.issuer):
        # An authority of the same name with another key: no intermediate leads there.
        return False
    origin = lineage(top.der)
    if origin.authority_issuers:
        return any(trust.has_anchor_named(above) for above in origin.authority_issuers)
    issuer = " ".join(origin.issuer_common_names).lower()
    if _INTERMEDIATE_WORD.search(issuer):
        return True
    if _ROOT_WORD.search(issuer):
        return False
    same_house = trust.has_anchor_of(origin.issuer_organisations)
    if origin.publicly_issued:
        # Public authorities never issue from a root directly (CA/Browser Forum Baseline Requirements 6.1.7).
        return trust.public or same_house
    return same_house and bool(origin.issuer_urls)
