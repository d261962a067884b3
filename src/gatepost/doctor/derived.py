"""Joins across the evidence, computed once and read by every rule."""

# ruff: noqa: E501 - a pattern or a sentence broken over lines reads worse

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import MAXYEAR, MINYEAR, UTC, datetime
from functools import cached_property
from itertools import pairwise
from typing import NamedTuple

from gatepost.doctor.addresses import identity_connectors, refused_by_attribution
from gatepost.doctor.certificates_told import (
    at,
    is_internal_name,
    is_leaf,
    is_self_signed,
    last,
    names_of,
    normalized_name,
    on_the_refused_host,
    refused_sessions,
    same_certificate,
    satisfies,
)
from gatepost.doctor.evidence import (
    CertificateSeen,
    EvidenceBundle,
    PostfixDelivery,
    ProseFact,
    ReplySeen,
    SmtpSession,
    TlsSeen,
)
from gatepost.exchange.objects import InboundConnector

_YET_TO_COME = re.compile(
    r"about to|will (?:be )?(?:expire|renew)|expires? (?:in|soon|next|on)|(?:is|still) valid|(?:next|coming) (?:week|month|year)|"
    r"(?:last|a|two|three) years? ago|(?:should|could|must|can|do|to) (?:we )?(?:renew|replace)",
    re.IGNORECASE,
)
_RECENTLY = 21 * 86400.0


class Renewal(NamedTuple):
    """One certificate replaced by another."""

    old: CertificateSeen
    new: CertificateSeen


@dataclass(frozen=True)
class Derived:
    """What follows from a bundle; each join is computed when the first rule asks."""

    bundle: EvidenceBundle

    # --- refusals ---

    @cached_property
    def attribution_refusals(self) -> tuple[ReplySeen, ...]:
        """5.7.64 and its kin, whoever quotes them."""
        return tuple(each for each in self.bundle.replies if refused_by_attribution(each))

    @cached_property
    def no_tenant_found(self) -> tuple[ReplySeen, ...]:
        """Those that say that step one, finding the tenant, failed: 5.7.64 without ATTR36."""
        return tuple(each for each in self.attribution_refusals if each.enhanced == "5.7.64" and each.attr != "ATTR36")

    @cached_property
    def refused_sessions(self) -> tuple[SmtpSession, ...]:
        return refused_sessions(self.bundle)

    # --- certificates ---

    @cached_property
    def leaves(self) -> tuple[CertificateSeen, ...]:
        """Certificates that may be the sender's own."""
        return tuple(each for each in self.bundle.certificates if is_leaf(each))

    @cached_property
    def sent(self) -> tuple[CertificateSeen, ...]:
        return tuple(each for each in self.leaves if each.role == "sent")

    @cached_property
    def stored(self) -> tuple[CertificateSeen, ...]:
        return tuple(each for each in self.leaves if each.role == "stored")

    @cached_property
    def sent_when_refused(self) -> CertificateSeen | None:
        """What a refused session presented; else the last one logged as sent, unless its session was accepted."""
        of_refused = [each.sent_certificate for each in self.refused_sessions if each.sent_certificate]
        if of_refused:
            return last(of_refused)
        accepted = {each.session_id for each in self.bundle.sessions if each.accepted}
        return last(each for each in self.sent if not each.session_id or each.session_id not in accepted)

    @cached_property
    def presented(self) -> CertificateSeen | None:
        """The certificate the sender presents now, as far as the evidence tells: logged, else the new one of a
        renewal, else the only one there is."""
        if self.sent_when_refused:
            return self.sent_when_refused
        if self.renewal:
            return self.renewal.new
        candidates = [each for each in self.leaves if each.role not in ("old", "sent") and not _is_a_services(each)]
        bound = [each for each in candidates if each.smtp_bound]
        outside = [
            each for each in bound if not is_self_signed(each) and not all(map(is_internal_name, names_of(each)))
        ]
        for usable in (bound, outside):
            if len(usable) == 1:
                return usable[0]
        here = on_the_refused_host(self.bundle, candidates)
        if len(here) == 1:
            return here[0]
        return candidates[0] if len(candidates) == 1 else None

    @cached_property
    def renewal(self) -> Renewal | None:
        """The old and the new certificate, where both are in the evidence."""
        old = next((each for each in self.leaves if each.role == "old"), None)
        new = next((each for each in self.leaves if each.role == "new"), None)
        if old and new:
            return Renewal(old, new)
        return next(self._renewals_by_date(old, new), None)

    def _renewals_by_date(self, old: CertificateSeen | None, new: CertificateSeen | None) -> Iterator[Renewal]:
        others = [each for each in self.leaves if each.role in ("sent", "stored", "file", "unknown")]
        if old or new:
            others = [each for each in others if same_certificate(each, old or new or each) is False]
            for each in others:
                yield Renewal(old, each) if old else Renewal(each, new or each)
            return
        used = [each for each in self.sent if at(each.at)]
        used.sort(key=lambda each: at(each.at) or 0.0)
        for before, after in pairwise(used):
            if same_certificate(before, after) is False:
                yield Renewal(before, after)
        dated = [each for each in self.leaves if at(each.not_before)]
        dated.sort(key=lambda each: at(each.not_before) or 0.0)
        for older, newer in pairwise(dated):
            related = set(names_of(older)) & set(names_of(newer))
            if same_certificate(older, newer) is False and related:
                yield Renewal(older, newer)

    @cached_property
    def renewal_told(self) -> ProseFact | None:
        """Somebody's word that a certificate was exchanged; not that one will be."""
        told = self.bundle.prose_of("renewed-certificate")
        return next((each for each in told if not _YET_TO_COME.search(each.quote)), None)

    @cached_property
    def renewed_lately(self) -> bool:
        """Whether a certificate was exchanged around the failure: seen, dated, or told."""
        if self.renewal or self.renewal_told or self.bundle.certbot:
            return True
        return self.fresh is not None

    @cached_property
    def fresh(self) -> CertificateSeen | None:
        """The presented certificate where it had just been issued when it was refused."""
        certificate = self.presented
        issued = at(certificate.not_before) if certificate else None
        when = self.failed_at
        if certificate and issued and when and 0 <= when - issued < _RECENTLY:
            return certificate
        return None

    @cached_property
    def renewed_after_sent(self) -> CertificateSeen | None:
        """The certificate still sent although the store holds a newer one of the same names."""
        sent = self.sent_when_refused or last(self.sent)
        if sent is None:
            return None
        for each in self.stored:
            newer = (at(each.not_after) or 0.0) > (at(sent.not_after) or 0.0) > 0.0 or each.role == "new"
            if newer and same_certificate(sent, each) is False and set(names_of(sent)) & set(names_of(each)):
                return sent
        return None

    @cached_property
    def failed_at(self) -> float | None:
        """When the first refusal, or else the first failed handshake, happened."""
        refused = (each for each in self.bundle.replies if each.code >= 400)
        times = [when for each in refused if (when := at(each.at) or at(each.trailer_at))]  # syslog's has no year
        times += [when for tls in self.bundle.tls if tls.established is False and (when := at(tls.at))]
        times += [when for error in self.bundle.queue_errors if (when := at(error.at))]
        undelivered = (each for each in self.bundle.postfix_deliveries if each.status in ("deferred", "bounced"))
        times += [when for each in undelivered if (when := at(each.at))]
        return min(times, default=None) or self._failed_at_of_a_year_told_elsewhere

    @cached_property
    def _failed_at_of_a_year_told_elsewhere(self) -> float | None:
        """Syslog writes no year: the one in which the failure lies nearest to a certificate's end or beginning."""
        moments = [each.at for each in self.bundle.postfix_deliveries if each.status in ("deferred", "bounced")]
        moments += [each.at for each in self.bundle.replies if each.code >= 400]
        moments += [each.at for each in self.bundle.tls if each.established is False]
        failed = [each.at for each in moments if each and each.at and each.certainty == "year-unknown"]
        ends = [when for each in self.leaves for when in (at(each.not_after), at(each.not_before)) if when]
        if not failed or not ends:
            return None
        first = datetime.fromtimestamp(min(failed), UTC)
        day = 28 if (first.month, first.day) == (2, 29) else first.day
        years = {datetime.fromtimestamp(end, UTC).year + shift for end in ends for shift in (-1, 0, 1)}
        # RFC 5280 4.1.2.5: the year 9999 stands for a certificate that never ends.
        near = [first.replace(year=year, day=day).timestamp() for year in years if MINYEAR <= year <= MAXYEAR]
        return min(near, key=lambda when: min(abs(when - end) for end in ends))

    @cached_property
    def lost_after_certificate(self) -> PostfixDelivery | None:
        """A session established with a client certificate and lost at EHLO: TLS 1.3's refusal comes afterwards."""
        established = {
            each.process
            for each in self.bundle.postfix_tls
            if each.kind == "established" and each.client_certificate_sent and each.protocol in ("TLSv1.3", "")
        }
        lost = (each for each in self.bundle.postfix_deliveries if "lost connection" in each.response)
        return next((each for each in lost if "EHLO" in each.response and each.process in established), None)

    @cached_property
    def certificate_withheld(self) -> bool:
        """Whether the refused sessions show that no certificate was presented: none logged although TLS began, or no TLS."""
        seen = [
            each
            for each in self.refused_sessions
            if each.starttls_sent or (each.starttls_offered and each.reverse_path is not None)
        ]
        if seen and all(each.sent_certificate is None for each in seen):
            return not self.sent
        established = [each for each in self.bundle.tls if each.established and each.log_owner_is != "server"]
        return bool(established) and all(each.client_certificate_sent is False for each in established)

    @cached_property
    def refused_in_plain_text(self) -> bool:
        """Whether Postfix's log shows handshakes, and none in the process whose delivery was refused."""
        refused = {each.process for each in self.bundle.postfix_deliveries if each.enhanced == "5.7.64"} - {None}
        spoken = {each.process for each in self.bundle.postfix_tls if each.kind == "established"}
        return bool(refused and self.bundle.postfix_tls) and not refused & spoken

    # --- handshakes ---

    @cached_property
    def tls_failures(self) -> tuple[TlsSeen, ...]:
        return tuple(each for each in self.bundle.tls if each.established is False or each.failure or each.alert)

    @cached_property
    def alerts(self) -> frozenset[int]:
        """TLS alerts the peer sent (RFC 8446 6)."""
        return frozenset(
            each.alert for each in self.bundle.tls if each.alert is not None and each.log_owner_is != "server"
        )

    @cached_property
    def failed_relay(self) -> bool:
        """Whether anything shows mail not passing."""
        return bool(
            self.tls_failures
            or self.bundle.queue_errors
            or any(each.code >= 400 for each in self.bundle.replies)
            or any(each.status in ("deferred", "bounced") for each in self.bundle.postfix_deliveries)
        )

    # --- connectors ---

    @cached_property
    def naming_connectors(self) -> tuple[InboundConnector, ...]:
        """Connectors that could give relay rights and go by a certificate name."""
        return tuple(
            each for each in identity_connectors(self.bundle.inbound_connectors) if each.certificate_name.strip()
        )

    @cached_property
    def goes_by_address(self) -> bool:
        """Whether the connectors that were shown ask for no certificate: then which one is presented decides nothing."""
        shown = identity_connectors(self.bundle.inbound_connectors)
        return any(each.addresses for each in shown) and not self.naming_connectors

    @cached_property
    def matching_connector(self) -> InboundConnector | None:
        """The connector whose certificate name, as it is written, the presented certificate satisfies."""
        certificate = self.presented
        if certificate is None:
            return None
        for each in self.naming_connectors:
            if satisfies(certificate, each.certificate_name_as_written.casefold()):
                return each
        return None

    @cached_property
    def expected_names(self) -> tuple[str, ...]:
        return tuple(normalized_name(each.certificate_name) for each in self.naming_connectors)


def _is_a_services(certificate: CertificateSeen) -> bool:
    """One that Exchange or Windows made for itself and no session presents: OAuth's, the web management's."""
    names = names_of(certificate)
    return bool(names) and all(" " in each or each.startswith("wmsvc") for each in names)


def derive(bundle: EvidenceBundle) -> Derived:
    """The joins of `bundle`."""
    return Derived(bundle)
