"""Which rows of the indexes find a connector, and in what form an object is stored."""

import json
from dataclasses import replace
from ipaddress import ip_network

from contracts.directory_contract import AT, connector, domain
from gatepost.store.directory.rows import INDEXES, domain_row, index_rows, stored_connector_record, text_of
from gatepost.tenancy.tenant import ConnectorType

PIN = "ab" * 32
MAIL = replace(
    connector("mail"),
    certificate_names=("mail.contoso.com", "*.contoso.com"),
    certificate_sha256=(PIN,),
    public_key_sha256=(PIN,),
    addresses=(ip_network("192.0.2.0/24"),),
)


def test_each_name_pin_and_network_is_a_row_as_wide_as_its_table() -> None:
    rows = dict(index_rows(MAIL, 7))
    assert {table: len(found) for table, found in rows.items()} == {"certificate_name": 2, "pin": 1, "address": 1}
    assert all(len(row) == INDEXES[table] for table, found in rows.items() for row in found)
    # A name is found by the wildcard certificate of its parent too; a wildcard is not.
    assert [row[-1] for row in rows["certificate_name"]] == ["contoso.com", None]


def test_a_partner_connector_is_in_no_index_that_sessions_are_recognised_by() -> None:
    assert list(index_rows(replace(MAIL, type=ConnectorType.PARTNER), 7)) == []


def test_what_is_empty_is_not_stored_and_proofs_are_kept_apart() -> None:
    stored = stored_connector_record(replace(MAIL, proven_pins=frozenset({PIN})))
    assert "proven_pins" not in stored and [] not in stored.values()
    assert json.loads(text_of(stored))["certificate_names"] == ["mail.contoso.com", "*.contoso.com"]


def test_a_domain_is_due_for_a_check_or_waits_for_its_proof_never_both() -> None:
    verified = replace(domain("contoso.com", "contoso"), checked_at=AT, claimed_at=AT)
    for each, due in (
        (verified, (AT.timestamp(), None)),
        (replace(verified, verified=False), (None, AT.timestamp())),
        (replace(verified, verified_by_operator=True), (None, None)),
    ):
        assert domain_row(each)[4:6] == due
