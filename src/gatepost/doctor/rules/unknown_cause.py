"""When the family is known and nothing else."""

# ruff: noqa: E501 - a pattern or a sentence broken over lines reads worse

from gatepost.doctor.derived import Derived
from gatepost.doctor.evidence import EvidenceBundle
from gatepost.doctor.finding import Finding, RuledOut, cite, found, rule


@rule(
    "tenant-attribution-failed-cause-unknown",
    title="The session was tied to no tenant; why is not in the evidence",
    side="none",
)
def tenant_attribution_failed_cause_unknown(bundle: EvidenceBundle, facts: Derived) -> Finding | RuledOut | None:
    if not facts.attribution_refusals:
        return None
    return found(
        "low",
        5,
        "The receiving service could not tie the session to a tenant's connector. This one sentence has a dozen causes: the "
        "certificate's name, its chain, none presented, the address, the connector itself. What is here does not tell which.",
        [cite(each) for each in facts.attribution_refusals[:3]],
        verify="Bring what is listed as missing, most telling first.",
    )
