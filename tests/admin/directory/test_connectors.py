"""Inbound and send connectors: what may be said, and that nobody captures another tenant's mail."""

from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding

from gatepost.admin.directory import domains, inbound_connectors, send_connectors
from gatepost.admin.directory.changes import Changes
from gatepost.admin.directory.send_connectors import CredentialVerdict, apply_changes_but_tenant
from gatepost.admin.directory.trust_anchors import read_trust_anchors
from gatepost.app.admin_wiring import check_credentials
from gatepost.errors import BadRequest, NotAllowed, with_options
from gatepost.store.directory.editor import SqliteDirectoryEditor as Editor
from gatepost.tenancy.allowance import Allowance
from gatepost.tenancy.record import send_connector_from, send_connector_record
from gatepost.tenancy.tenant import ConnectorType, SendConnector, SmartHost
from pki import Pki

PIN = "ab" * 32


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    return Pki(tmp_path_factory.mktemp("pki"))


@pytest.fixture
def owned(editor: Editor, at: datetime) -> Editor:
    for tenant in ("contoso", "fabrikam"):
        domains.add(editor, tenant, f"{tenant}.com", match_subdomains=False, verified=True, at=at)
    return editor


def fine(certificate: Path, key: Path) -> CredentialVerdict:
    return CredentialVerdict()


class TestListedTwice:
    def test_a_name_in_two_connectors_of_a_tenant_is_said(self, owned: Editor) -> None:
        said = {"certificate_names": ["mail.contoso.com", "*.contoso.com"]}
        assert inbound_connectors.add(owned, "contoso", "first", said).warnings == ()
        (note,) = inbound_connectors.add(
            owned, "contoso", "second", {"certificate_names": ["mail.contoso.com"]}
        ).warnings
        assert (
            with_options(note) == "--certificate-name mail.contoso.com is in contoso/first too: one of them is enough"
        )
        assert inbound_connectors.change(owned, "contoso", "second", {"comment": "x"}).warnings == (note,)

    def test_an_address_of_two_tenants_is_the_operators_to_know(self, owned: Editor, tmp_path: Path) -> None:
        for name in ("a", "b"):
            inbound_connectors.add(owned, "fabrikam", name, {"addresses": ["192.0.2.7"]})
        saved = inbound_connectors.add(owned, "contoso", "mail", {"addresses": ["192.0.2.0/24", "192.0.2.7"]})
        (note,) = saved.warnings
        assert with_options(note).startswith("--address 192.0.2.7/32 is in fabrikam/a, fabrikam/b too: the domain of")
        by_tenant = Allowance(limits=owned.allowance.limits, by_tenant=True)
        tenants_own = Editor(tmp_path / "directory.sqlite", who="token", allowance=by_tenant)
        assert inbound_connectors.warnings_of(tenants_own, saved.connector) == ()
        (own,) = inbound_connectors.add(tenants_own, "contoso", "again", {"addresses": ["192.0.2.7"]}).warnings
        assert with_options(own) == "--address 192.0.2.7/32 is in contoso/mail too: one of them is enough"
        tenants_own.close()


class TestOwnedNames:
    def test_a_connector_with_an_owned_name_is_enabled(self, owned: Editor) -> None:
        saved = inbound_connectors.add(owned, "contoso", "mail", {"certificate_names": ["Mail.contoso.com"]})
        assert saved.connector.enabled and saved.not_enabled_because is None
        assert saved.connector.certificate_names == ("mail.contoso.com",)

    def test_an_unowned_name_is_stored_disabled_and_the_missing_record_named(
        self, editor: Editor, at: datetime
    ) -> None:
        added = domains.add(editor, "contoso", "contoso.com", match_subdomains=False, verified=False, at=at).domain
        saved = inbound_connectors.add(editor, "contoso", "mail", {"certificate_names": ["mail.contoso.com"]})
        assert not saved.connector.enabled
        said = str(saved.not_enabled_because)
        assert f'_gatepost.contoso.com TXT "gatepost-verification={added.token}"' in said
        assert "gatepost domain verify contoso.com" in said
        assert "gatepost inbound-connector enable contoso mail" in said
        with pytest.raises(NotAllowed, match=r"stays disabled: .*_gatepost\.contoso\.com TXT"):
            inbound_connectors.enable(editor, "contoso", "mail")

    def test_a_name_without_any_domain_says_which_to_add(self, editor: Editor) -> None:
        saved = inbound_connectors.add(editor, "contoso", "mail", {"certificate_names": ["*.adatum.com"]})
        assert "gatepost domain add contoso adatum.com" in str(saved.not_enabled_because)
        assert "_gatepost.adatum.com" in str(saved.not_enabled_because)

    def test_another_tenants_name_can_never_be_enabled(self, owned: Editor) -> None:
        for name in ("fabrikam.com", "*.fabrikam.com"):
            saved = inbound_connectors.add(owned, "contoso", name.replace("*", "w"), {"certificate_names": [name]})
            assert not saved.connector.enabled
            assert "belongs to tenant fabrikam" in str(saved.not_enabled_because)

    def test_a_name_below_another_tenants_domain_says_who_has_it(self, owned: Editor) -> None:
        wish = {"certificate_names": ["mail.fabrikam.com"]}
        said = str(inbound_connectors.add(owned, "contoso", "mail", wish).not_enabled_because)
        assert "fabrikam has verified fabrikam.com" in said and "gatepost domain add contoso mail.fabrikam.com" in said

    def test_one_unowned_name_among_owned_ones_is_enough_to_stay_disabled(self, owned: Editor) -> None:
        wish = {"certificate_names": ["mail.contoso.com", "mail.fabrikam.com"]}
        assert not inbound_connectors.add(owned, "contoso", "mail", wish).connector.enabled

    def test_an_enabled_connector_keeps_its_form_rather_than_take_an_unowned_name(self, owned: Editor) -> None:
        inbound_connectors.add(owned, "contoso", "mail", {"certificate_names": ["mail.contoso.com"]})
        version = owned.version
        with pytest.raises(NotAllowed, match="nothing was changed"):
            inbound_connectors.change(owned, "contoso", "mail", {"certificate_names": ["mail.fabrikam.com"]})
        assert owned.version == version

    def test_once_the_domain_is_verified_the_connector_can_be_enabled(self, editor: Editor, at: datetime) -> None:
        inbound_connectors.add(editor, "contoso", "mail", {"certificate_names": ["mail.contoso.com"]})
        assert not list(inbound_connectors.ready_to_enable(editor, "contoso"))
        domains.add(editor, "contoso", "contoso.com", match_subdomains=False, verified=True, at=at)
        assert [each.name for each in inbound_connectors.ready_to_enable(editor, "contoso")] == ["mail"]
        assert inbound_connectors.enable(editor, "contoso", "mail").connector.enabled

    def test_a_partners_certificate_is_nobodys_claim(self, owned: Editor) -> None:
        wish = {"type": "partner", "certificate_names": ["gw.filter.example"], "restrict_to_certificate": True}
        assert inbound_connectors.add(owned, "contoso", "filter", wish).connector.enabled

    def test_a_disabled_connector_is_stored_without_complaint(self, editor: Editor) -> None:
        wish = {"certificate_names": ["mail.contoso.com"]}
        saved = inbound_connectors.add(editor, "contoso", "mail", wish, enabled=False)
        assert saved.not_enabled_because is None and not saved.connector.enabled


class TestWhatAnInboundConnectorMaySay:
    @pytest.mark.parametrize(
        ("wish", "says"),
        [
            ({}, "nothing identifies the server"),
            ({"require_tls": True}, "nothing identifies the server"),
            ({"type": "partner"}, "says nothing"),
            ({"type": "onpremises"}, "on-premises or partner"),
            ({"addresses": ["192.0.2.1"], "restrict_to_address": True}, "for --type partner"),
            ({"certificate_names": ["a.contoso.com"], "restrict_to_certificate": True}, "for --type partner"),
            ({"type": "partner", "sender_domains": ["*"], "restrict_to_certificate": True}, "needs --certificate-name"),
            ({"type": "partner", "sender_domains": ["*"], "restrict_to_address": True}, "needs --address"),
            ({"addresses": ["192.0.2.1/24"]}, r"192\.0\.2\.0/24"),
            ({"certificate_sha256": ["ab" * 20]}, "SHA-1"),
        ],
    )
    def test_what_makes_no_sense_is_refused_in_one_line(self, owned: Editor, wish: Changes, says: str) -> None:
        version = owned.version
        with pytest.raises(BadRequest, match=says):
            inbound_connectors.add(owned, "contoso", "mail", wish)
        assert owned.version == version

    def test_a_list_that_is_mentioned_replaces_the_stored_one_and_the_rest_stays(self, owned: Editor) -> None:
        wish = {"certificate_names": ["mail.contoso.com"], "addresses": ["192.0.2.1"], "require_tls": True}
        inbound_connectors.add(owned, "contoso", "mail", wish)
        changed = inbound_connectors.change(owned, "contoso", "mail", {"addresses": ["192.0.2.2", "192.0.2.2"]})
        assert [str(each) for each in changed.connector.addresses] == ["192.0.2.2/32"]
        assert changed.connector.certificate_names == ("mail.contoso.com",)
        assert changed.connector.require_tls
        emptied = inbound_connectors.change(owned, "contoso", "mail", {"addresses": [], "require_tls": False})
        assert emptied.connector.addresses == () and not emptied.connector.require_tls

    def test_an_unproved_pin_says_that_it_counts_like_an_address(self, owned: Editor) -> None:
        saved = inbound_connectors.add(owned, "contoso", "mail", {"certificate_sha256": [PIN.upper()]})
        assert saved.connector.certificate_sha256 == (PIN,)
        assert any("counts like an address" in warning for warning in saved.warnings)

    def test_an_address_without_any_verified_domain_says_that_it_identifies_nobody(self, editor: Editor) -> None:
        saved = inbound_connectors.add(editor, "contoso", "mail", {"addresses": ["192.0.2.1"]})
        assert any("identifies nobody" in warning for warning in saved.warnings)

    def test_every_address_there_is_earns_a_warning(self, owned: Editor) -> None:
        owned.allowance = Allowance(beyond=True)
        saved = inbound_connectors.add(owned, "contoso", "mail", {"addresses": ["0.0.0.0/0"]})
        assert any("--address 0.0.0.0/0 is every host" in with_options(each) for each in saved.warnings)

    def test_the_same_name_twice_is_refused_and_an_unknown_one_names_the_nearest(self, owned: Editor) -> None:
        inbound_connectors.add(owned, "contoso", "mail", {"addresses": ["192.0.2.1"]})
        with pytest.raises(NotAllowed, match="inbound-connector set contoso Mail"):
            inbound_connectors.add(owned, "contoso", "Mail", {"addresses": ["192.0.2.1"]})
        with pytest.raises(NotAllowed, match="did you mean 'mail'"):
            inbound_connectors.remove(owned, "contoso", "mial")
        with pytest.raises(NotAllowed, match="has no inbound connector 'mail'"):
            inbound_connectors.disable(owned, "fabrikam", "mail")


def _authority(pki: Pki, key: object, *extensions: x509.ExtensionType) -> bytes:
    """PEM of an authority with whatever key, below the root."""
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Odd CA")])
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(pki.root.certificate.subject)
        .public_key(key)  # type: ignore[arg-type]
        .serial_number(7)
        .not_valid_before(datetime(2026, 1, 1))
        .not_valid_after(datetime(2036, 1, 1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    )
    for extension in extensions:
        builder = builder.add_extension(extension, critical=False)
    return builder.sign(pki.root.key, SHA256()).public_bytes(Encoding.PEM)  # type: ignore[arg-type]


class TestTrustAnchors:
    def wish(self, *files: Path) -> Changes:
        anchors = [anchor for file in files for anchor in read_trust_anchors(file)]
        return {"certificate_names": ["mail.contoso.com"], "trust_anchors": anchors}

    def test_anchors_are_kept_as_content(self, owned: Editor, pki: Pki, tmp_path: Path) -> None:
        both = tmp_path / "both.pem"
        both.write_text(pki.root.pem + pki.intermediate.pem)
        connector = inbound_connectors.add(owned, "contoso", "mail", self.wish(both)).connector
        both.unlink()
        assert connector.trust_anchors == (pki.root.pem, pki.intermediate.pem)

    def test_a_server_certificate_is_no_anchor_and_its_pin_is_offered(self, owned: Editor, pki: Pki) -> None:
        leaf = pki.self_signed("mail.contoso.com")
        with pytest.raises(BadRequest, match=f"--certificate-sha256 {leaf.sha256}"):
            inbound_connectors.add(owned, "contoso", "mail", self.wish(leaf.certificate_file))

    def test_unusable_files_are_explained(self, owned: Editor, pki: Pki, tmp_path: Path) -> None:
        empty = tmp_path / "empty.pem"
        empty.touch()
        unusable = {tmp_path / "none.pem": "cannot be read", empty: "must be PEM", pki.root.key_file: "private key"}
        for file, says in unusable.items():
            with pytest.raises(BadRequest, match=says):
                inbound_connectors.add(owned, "contoso", "mail", self.wish(file))

    def test_an_anchor_that_is_large_or_slow_to_check_is_refused(self, owned: Editor, pki: Pki, tmp_path: Path) -> None:
        """Every chain that is judged against it pays for it."""
        comment = x509.UnrecognizedExtension(x509.ObjectIdentifier("2.16.840.1.113730.1.13"), b"x" * 9000)
        long_key = rsa.RSAPublicNumbers(65537, 2**8255 + 1).public_key()
        refused = {
            "larger than 1 MiB": b"x" * (2**20 + 1),
            "octets; a certificate of at most 8192": _authority(pki, pki.root.key.public_key(), comment),
            "RSA key of 8256 bits; at most 8192": _authority(pki, long_key),
        }
        for says, content in refused.items():
            file = tmp_path / "anchor.pem"
            file.write_bytes(content)
            with pytest.raises(BadRequest, match=says):
                inbound_connectors.add(owned, "contoso", "mail", self.wish(file))

    def test_an_anchor_without_a_name_is_refused(self, owned: Editor, pki: Pki) -> None:
        wish = {"addresses": ["192.0.2.1"], "trust_anchors": [pki.root.pem]}
        with pytest.raises(BadRequest, match="--trust-anchor needs --certificate-name"):
            inbound_connectors.add(owned, "contoso", "mail", wish)


class TestSendConnectors:
    def test_a_whole_connector_is_stored_as_asked(self, owned: Editor, pki: Pki) -> None:
        leaf = pki.leaf("mail.contoso.com")
        wish = {
            "tenant": "Contoso",
            "address_spaces": ["*;10", "partner.example"],
            "smart_hosts": ["relay.example.net:2525", "[::1]:25"],
            "certificate": str(leaf.chain_file),
            "key": str(leaf.key_file),
            "tls": "verify",
            "tls_domain": "*.example.net",
            "fqdn": "Mail.contoso.com",
            "protocol_log": "off",
        }
        connector = send_connectors.add(owned, "out", wish, check_credentials).connector
        assert connector == owned.send_connector("out")
        assert connector.tenant == "contoso"
        assert [str(each) for each in connector.address_spaces] == ["*;10", "partner.example;1"]
        assert [str(each) for each in connector.smart_hosts] == ["relay.example.net:2525", "[::1]:25"]
        assert (connector.tls_domain, connector.fqdn) == ("*.example.net", "mail.contoso.com")
        assert not connector.protocol_log

    def test_paths_are_kept_absolute(
        self, owned: Editor, pki: Pki, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        wish = {"address_spaces": ["*"], "certificate": "a.pem", "key": "a.key"}
        connector = send_connectors.add(owned, "out", wish, fine).connector
        assert (connector.certificate, connector.key) == (str(tmp_path / "a.pem"), str(tmp_path / "a.key"))

    def test_a_key_that_does_not_fit_is_refused(self, owned: Editor, pki: Pki) -> None:
        one, other = pki.leaf("mail.contoso.com"), pki.leaf("mail.contoso.com")
        wish = {"address_spaces": ["*"], "certificate": str(one.chain_file), "key": str(other.key_file)}
        with pytest.raises(BadRequest, match=str(other.key_file)):
            send_connectors.add(owned, "out", wish, check_credentials)
        assert owned.send_connector("out") is None

    @pytest.mark.parametrize(
        ("wish", "says"),
        [
            ({}, "--address-space is missing"),
            ({"address_spaces": ["*;0"]}, "from 1"),
            ({"address_spaces": ["*;1", "*;2"]}, "given twice"),
            ({"address_spaces": ["*"], "certificate": "a.pem"}, "--key is missing"),
            ({"address_spaces": ["*"], "key": "a.key"}, "--certificate is missing"),
            ({"address_spaces": ["*"], "certificate": "a", "key": "b", "tls": "none"}, "presents no certificate"),
            ({"address_spaces": ["*"], "tls": "always"}, "none, opportunistic, encrypt, verify"),
            ({"address_spaces": ["*"], "tls": "encrypt", "tls_domain": "a.example"}, "needs --tls verify"),
            ({"address_spaces": ["*"], "fqdn": "192.0.2.1"}, "must be a host name"),
            ({"address_spaces": ["*"], "protocol_log": "yes"}, "on or off"),
            ({"address_spaces": ["*"], "smart_hosts": ["a b"]}, "not a domain name"),
        ],
    )
    def test_what_makes_no_sense_is_refused_in_one_line(self, owned: Editor, wish: Changes, says: str) -> None:
        version = owned.version
        with pytest.raises(BadRequest, match=says):
            send_connectors.add(owned, "out", wish, fine)
        assert owned.version == version

    def test_an_unknown_tenant_is_refused(self, owned: Editor) -> None:
        with pytest.raises(NotAllowed, match="did you mean 'contoso'"):
            send_connectors.add(owned, "out", {"tenant": "contosso", "address_spaces": ["*"]}, fine)

    def test_setting_changes_what_is_mentioned_and_empties_what_is_empty(self, owned: Editor) -> None:
        first = {
            "tenant": "contoso",
            "address_spaces": ["*"],
            "smart_hosts": ["a.example"],
            "tls": "verify",
            "tls_domain": "a.example",
        }
        send_connectors.add(owned, "out", first, fine)
        changed = send_connectors.change(
            owned, "out", {"smart_hosts": [], "tenant": "", "tls_domain": ""}, fine
        ).connector
        assert (changed.smart_hosts, changed.tenant, changed.tls_domain) == ((), None, None)
        assert str(changed.address_spaces[0]) == "*;1"
        with pytest.raises(BadRequest, match="at least one --address-space"):
            send_connectors.change(owned, "out", {"address_spaces": []}, fine)

    def test_a_disabled_connector_carries_no_mail(self, owned: Editor) -> None:
        send_connectors.add(owned, "out", {"address_spaces": ["*"]}, fine)
        send_connectors.enable(owned, "out", enabled=False)
        assert not owned.send_connectors(None, "example.org")
        send_connectors.enable(owned, "out", enabled=True)
        assert owned.send_connectors(None, "example.org")


def test_a_partner_connector_is_stored_as_one(owned: Editor) -> None:
    wish = {"type": "partner", "sender_domains": ["*", "*.Partner.example"], "require_tls": True}
    connector = inbound_connectors.add(owned, "contoso", "partner", wish).connector
    assert connector.type is ConnectorType.PARTNER
    assert connector.sender_domains == ("*", "*.partner.example")


def test_what_the_operator_writes_as_an_address_is_allowed_and_a_tenants_change_takes_that_back() -> None:
    new = SendConnector(name="out", tenant="contoso", address_spaces=())
    inward = {"address_spaces": ["*"], "smart_hosts": ["127.0.0.1:2525"]}
    made = apply_changes_but_tenant(new, inward)
    assert made.allow_internal
    unchanged = apply_changes_but_tenant(made, {"fqdn": "mail.contoso.com"}, by_tenant=True)
    assert unchanged.allow_internal
    changed = apply_changes_but_tenant(made, {"smart_hosts": ["hub.example"]}, by_tenant=True)
    assert not changed.allow_internal
    by_mx = apply_changes_but_tenant(made, {"smart_hosts": []}, by_tenant=True)
    assert not by_mx.allow_internal
    for wish, by_tenant in ((inward, True), ({**inward, "allow_internal": "off"}, False)):
        with pytest.raises(BadRequest, match=r"smart host 127\.0\.0\.1:2525"):
            apply_changes_but_tenant(new, wish, by_tenant=by_tenant)
    everybodys = apply_changes_but_tenant(replace(new, tenant=None), inward)
    assert not everybodys.allow_internal, "its smart hosts need no allowance, and its MX hosts get none by them"


def test_a_connector_of_before_goes_on_where_the_operator_made_it() -> None:
    def before(name: str, tenant: str | None) -> SendConnector:
        made = SendConnector(
            name=name, tenant=tenant, address_spaces=(), smart_hosts=(SmartHost(host="127.0.0.1", port=2525),)
        )
        record = send_connector_record(made)
        del record["allow_internal"]
        return send_connector_from(record)

    assert before("home", "contoso").allow_internal
    assert not before("contoso/home", "contoso").allow_internal
    assert not before("home", None).allow_internal
