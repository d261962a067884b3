"""Questions to the path of the mail: each holds, is broken with the edit that repairs it, or cannot be told yet.

A check is a plain generator `(MailPath) -> Iterator[Check]` in a module of this folder and in `ALL` below. It says
what is, from objects; it never asks whether anything was refused.
"""

from collections.abc import Callable, Iterator

from gatepost.doctor.checks.check import Check
from gatepost.doctor.path.objects import MailPath

Asks = Callable[[MailPath], Iterator[Check]]


def all_checks(path: MailPath) -> tuple[Check, ...]:
    """Every answer that the path gives."""
    from gatepost.doctor.checks import (
        client_certificate,
        dane,
        egress,
        endpoint,
        handshake,
        hybrid,
        keys,
        listening,
        loops,
        named,
        own_relay,
        postfix,
        receivers,
        relays,
        resolver,
        restriction,
        selection,
        sending,
        tenant,
        trust,
    )

    asked: tuple[Asks, ...] = (
        selection.named_certificate_is_stored,
        selection.certificate_is_enabled_for_smtp,
        selection.a_public_certificate_is_enabled,
        selection.newest_certificate_is_presented,
        selection.key_is_there,
        selection.certificate_is_in_the_store_that_is_read,
        selection.listeners_agree,
        selection.one_authority_answers_for_a_name,
        selection.edges_hold_one_certificate,
        selection.listener_offers_tls,
        sending.sender_goes_by_a_name_on_its_certificate,
        sending.sender_presents_the_newest,
        sending.presented_certificate_is_enabled,
        sending.certificate_in_use_is_in_its_time,
        sending.connector_asks_for_tls,
        sending.sender_uses_tls,
        listening.listener_presents_what_the_service_expects,
        listening.listener_still_offers_starttls,
        listening.service_reaches_the_listener,
        listening.relay_listener_lists_its_clients,
        listening.edge_has_the_same_values,
        hybrid.wizard_names_a_stored_certificate,
        hybrid.connectors_are_not_blocked,
        hybrid.outbound_policy_can_be_met,
        hybrid.rule_that_routes_acts,
        handshake.begins_as_the_other_side_does,
        handshake.has_a_suite_in_common,
        handshake.client_speaks_a_version_of_today,
        handshake.signature_algorithm_is_known,
        handshake.nobody_replaces_certificates,
        handshake.client_presents_what_it_has,
        handshake.key_was_not_installed,
        keys.own_certificate_stands_first,
        keys.key_is_the_certificates,
        keys.own_chain_is_no_list_of_authorities,
        keys.client_trusts_the_peer,
        keys.renewed_file_is_presented,
        keys.peer_is_called_by_a_name_of_its_certificate,
        client_certificate.program_has_a_client_certificate,
        receivers.receiver_finds_what_it_demands,
        relays.relay_sees_its_clients,
        relays.port_25_answers,
        resolver.relay_resolves_names,
        resolver.own_domain_has_its_exchanger_inside,
        resolver.block_list_answers,
        resolver.address_is_on_no_block_list,
        trust.we_trust_the_peer,
        trust.revocation_can_be_checked,
        trust.update_kept_the_authority,
        trust.chain_is_in_its_time,
        trust.listener_speaks_a_version_of_today,
        endpoint.smart_host_is_the_tenants,
        endpoint.connector_routes_to_what_it_expects,
        endpoint.connector_to_the_cloud_is_enabled,
        endpoint.relays_at_the_relaying_endpoint,
        postfix.speaks_tls_outwards,
        postfix.fingerprints_are_of_one_digest,
        own_relay.takes_what_its_clients_send,
        own_relay.smart_host_sees_the_login,
        dane.certificate_is_the_published_one,
        postfix.own_relay_takes_its_clients,
        postfix.logs_in_where_login_is_demanded,
        postfix.certificate_is_for_its_destination,
        egress.connector_can_list_the_address,
        restriction.connector_names_somebody,
        restriction.restriction_covers_what_the_filter_does,
        restriction.no_two_tenants_claim_one_address,
        restriction.exception_is_an_identity,
        tenant.relay_recognises_the_session,
        loops.message_goes_round,
        named.the_reply_names_it,
    )
    return tuple(answer for each in asked for answer in each(path))
