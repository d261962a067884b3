"""Joins across the evidence, computed once and read by every rule."""

from dataclasses import dataclass

from gatepost.doctor.evidence import EvidenceBundle


@dataclass(frozen=True, slots=True, kw_only=True)
class Derived:
    """What follows from a bundle."""

    bundle: EvidenceBundle


def derive(bundle: EvidenceBundle) -> Derived:
    """The joins of `bundle`."""
    return Derived(bundle=bundle)
