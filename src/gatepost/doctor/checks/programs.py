"""What the sending program, or the host that it runs on, cannot do: show a client certificate, keep one address."""

# ruff: noqa: E501 - a sentence broken over lines reads worse

from collections.abc import Iterator
from itertools import pairwise
from typing import Final

from gatepost.doctor.checks.check import Check
from gatepost.doctor.checks.handshake import signs
from gatepost.doctor.path import values
from gatepost.doctor.path.objects import MailPath
from gatepost.doctor.path.told import Told, inferred, seen
from gatepost.doctor.repairs import Advice, Edit
from gatepost.exchange.powershell import argument

_REFUSED: Final = ("not-attributed", "domain-condition")


def program_can_show_a_certificate(path: MailPath) -> Iterator[Check]:
    """Some programs have a certificate for their listener only, however it is set."""
    without = signs(path, "program-without-client-certificates")
    if not without or not path.symptoms_of(_REFUSED) or any(each.ours for each in path.sessions):
        return
    if path.bundle.postfix_deliveries or path.bundle.exim:
        return  # another program carries it further, and that one can
    if any(each.addresses and not each.certificate_name for each in path.bundle.inbound_connectors):
        return  # the connector goes by address: no certificate is asked for
    own = next((each for each in path.bundle.postfix_settings if each.name in ("local_cert", "local_key")), None)
    endpoint = values.next_hop(path) or f"<initial-domain>{values.ENDPOINT}"
    program = without[0].quote
    yield Check(
        cause="software-cannot-present-certificate",
        standing="broken",
        subject="program",
        says="The program that hands the mail to the service has no setting for a client certificate; what it has is for its own listener. It shows none, so a connector by certificate name never recognises it.",
        premises=(
            seen(program, without[0]),
            *((seen(own, own, f"{own.name} = {own.value}: for those who connect to it"),) if own else ()),
        ),
        explains=frozenset(_REFUSED),
        way="out",
        edits=(
            Advice(
                "Postfix",
                f"postconf -e 'relayhost = [{endpoint}]:25' 'smtp_tls_security_level = encrypt' 'smtp_tls_cert_file = {own.value if own and own.name == 'local_cert' else '/etc/postfix/relay-chain.pem'}' 'smtp_tls_key_file = /etc/postfix/relay.key' && postfix reload   # put Postfix (or Exim, Haraka, Gatepost) between: it can show the certificate",
            ),
            Advice(
                "Exchange Online",
                f"New-InboundConnector -Name 'By address' -ConnectorType OnPremises -SenderDomains * -SenderIPAddresses {values.public_address(path) or chr(39) + '<public address>' + chr(39)} -RequireTls $true   # or identify the host by a fixed public address of its own",
            ),
        ),
        verify="The session shows a certificate (or the connector lists its address), and RCPT TO is answered 250.",
        place=18,
    )


def host_has_an_address_of_its_own(path: MailPath) -> Iterator[Check]:
    """App services, functions and containers of a cloud leave from a pool that others share and that changes."""
    pooled = signs(path, "host-of-shared-addresses")
    by_address = next((each for each in path.bundle.inbound_connectors if each.addresses), None)
    if not pooled or by_address is None or by_address.certificate_name or not path.symptoms_of(_REFUSED):
        return
    told: tuple[Told[object], ...] = (
        inferred(pooled[0], pooled[0]),
        seen(by_address, by_address, f"{by_address.label} lists {', '.join(by_address.addresses[:6])}"),
    )
    yield Check(
        cause="cloud-host-without-fixed-address",
        standing="broken",
        subject=by_address.name,
        says=f"The host sends from a pool of addresses that its cloud shares and changes, more than connector {by_address.label} lists: which one is used differs from instance to instance.",
        premises=told,
        explains=frozenset(_REFUSED),
        way="out",
        edits=tuple(_fixed(path, by_address.name)),
        verify="curl -4 https://ifconfig.me shows the same address from every instance and after a scale-out.",
        alone=True,
        place=46,
    )


def _fixed(path: MailPath, connector: str) -> Iterator[Edit]:
    group, app = _azure(path)
    yield Advice(
        "network",
        f"az network public-ip create -g {group} -n mail-out --sku Standard; az network nat gateway create -g {group} -n mail-nat --public-ip-addresses mail-out; az webapp vnet-integration add -g {group} -n {app} --vnet VNET --subnet SUBNET; az webapp config set -g {group} -n {app} --vnet-route-all-enabled true   # a NAT gateway with one static public IP for all that leaves; other clouds: Cloud NAT, a NAT gateway with an Elastic IP",
    )
    yield Advice(
        "Exchange Online",
        f"Set-InboundConnector -Identity {argument(connector or '<name of the connector>')} -SenderIPAddresses '<static public IP of the NAT gateway>'   # or identify by certificate instead of IP address: -TlsSenderCertificateName",
    )


def _azure(path: MailPath) -> tuple[str, str]:
    """Resource group and name, as a command of `az` has them."""
    for each in path.bundle.shell:
        words = each.command.split()
        after = dict(pairwise(words))
        if words[:1] == ["az"] and "-g" in after and "-n" in after:
            return after["-g"], after["-n"]
    return "GROUP", "APP"
