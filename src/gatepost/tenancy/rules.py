"""Rule sets: the points at which relays of this kind differ, as data for the one attribution function.

`GATEPOST` is how Gatepost decides. `EOP` is Exchange Online as far as its public texts tell, with its open questions as
switches, for looking at Exchange Online configurations. docs/reference/attribution.md tables the differences.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleSet:
    name: str
    common_name_beside_san: bool = False
    """The subject's common name counts even where the certificate has a subjectAltName."""
    wildcard_certificate_for_exact_name: bool = False
    """A certificate for `*.contoso.com` satisfies the connector name `mail.contoso.com`."""
    wildcard_of_one_label: bool = False
    """A connector's `*.contoso.com` covers names one label below contoso.com and none deeper."""
    name_below_domain_is_owned: bool = True
    """A connector name below a verified domain of the tenant is owned; else it must equal one."""
    match_subdomains_owns_names: bool = True
    """Where equality is asked: a name below a domain added with `--match-subdomains` is owned too."""
    wildcard_owned_from_below: bool = False
    """`*.contoso.com` is owned when some domain below contoso.com is a verified domain of the tenant."""
    wildcard_covers_others_names: bool = False
    """A connector's wildcard recognises, by itself, a name in a domain that another tenant has verified; else such a
    name counts like an address."""
    specificity_before_reverse_path: bool = False
    """The more specific name decides, although the owner of the reverse-path could claim the session too."""
    unowned_name_with_reverse_path: bool = False
    """A connector name that is not owned still counts like an address: together with the reverse-path."""
    tie_goes_to_recipient: bool = False
    """Equally specific tenants that the reverse-path does not part are parted by the recipient's domain."""
    pins: bool = True
    ipv6: bool = True
    recipients_of_one_domain: bool = False
    """Where the recipient's domain identifies the tenant, a transaction may name only one recipient domain."""
    on_premises_require_tls: bool = True
    """`require_tls` of an on-premises connector is enforced, not only that of a partner connector."""
    null_reverse_path_is_in_every_domain: bool = True
    """A partner connector for sender domain `*` speaks of the null reverse-path too."""
    incoming_needs_route: bool = True
    """Mail for a tenant's domain is taken only when a send connector leads there; else it would go out by MX."""
    reject_direct_send: bool = False
    """Tenants may refuse their own domains as reverse-path where no connector matched."""
    reasons_from_every_connector: bool = False
    """A refused peer is told the best reason that any connector gives, also one of a tenant that owns neither the
    reverse-path nor a name. Where tenants share a relay, each of them could change what others are told."""
    tls_refusal: tuple[int, str] = (550, "7.10")
    """Reply code and enhanced status code (subject and detail) where a connector demands TLS."""


GATEPOST = RuleSet(name="gatepost")

EOP = RuleSet(
    name="eop",
    common_name_beside_san=True,
    name_below_domain_is_owned=False,
    wildcard_owned_from_below=True,
    wildcard_covers_others_names=True,
    specificity_before_reverse_path=True,
    unowned_name_with_reverse_path=True,
    tie_goes_to_recipient=True,
    pins=False,
    ipv6=False,
    recipients_of_one_domain=True,
    on_premises_require_tls=False,
    incoming_needs_route=False,
    reject_direct_send=True,
    reasons_from_every_connector=True,
    tls_refusal=(454, "7.0"),
)
