"""Programs other than Exchange and Postfix: whether they have a certificate to present as client."""

# ruff: noqa: E501 - a sentence broken over lines reads worse

from collections.abc import Iterator
from typing import Final

from gatepost.doctor.checks.check import Check
from gatepost.doctor.path.objects import MailPath
from gatepost.doctor.path.told import Told, inferred, seen
from gatepost.doctor.repairs import Advice
from gatepost.exchange.objects import InboundConnector
from gatepost.exchange.source import Fact

_HOW: Final = {
    "Exim": "# in the smtp transport that sends to {host}: tls_certificate = {certificate} and tls_privatekey = {key}   # those of the main section are for receiving only; then: systemctl reload exim4",
    "sendmail": "# sendmail.mc: define(`confCLIENT_CERT', `{certificate}')dnl define(`confCLIENT_KEY', `{key}')dnl; then: make -C /etc/mail restart",
    "OpenSMTPD": '# smtpd.conf: pki client cert "{certificate}"; pki client key "{key}"; action "outbound" relay host smtp+tls://{host} pki client; then: smtpd -n and a restart',
    "Java": "java -Djavax.net.ssl.keyStore=client.p12 -Djavax.net.ssl.keyStoreType=PKCS12 -Djavax.net.ssl.keyStorePassword=PASSWORD -jar PROGRAM   # the store holds the key and the chain of {name}; or send over a local relay that presents it",
}


def program_has_a_client_certificate(path: MailPath) -> Iterator[Check]:
    """A connector goes by a certificate's name; the program's configuration was shown and names none for sending."""
    if not path.symptoms_of(("not-attributed", "wrong-region", "no-secure-channel")):
        return
    connector = next(
        (each for each in path.bundle.inbound_connectors if each.certificate_name and each.enabled is not False), None
    )
    if connector is None or any(each.ours is not None for each in path.sessions):
        return
    lacking = _lacking(path)
    if lacking is None:
        return
    program, told, certificate, key = lacking
    values = {
        "{host}": "the relay",
        "{certificate}": certificate or f"/etc/ssl/{connector.certificate_name.lstrip('*.')}/fullchain.pem",
        "{key}": key or f"/etc/ssl/{connector.certificate_name.lstrip('*.')}/key.pem",
        "{name}": connector.certificate_name,
    }
    command = _HOW[program]
    for name, value in values.items():
        command = command.replace(name, value)
    yield Check(
        cause="postfix-has-no-client-certificate",
        standing="broken",
        subject=program,
        says=f"{program} has a certificate for receiving only, or none; the connector recognises the sender by {connector.certificate_name}, so nothing is there to recognise.",
        premises=(told, _wanted(connector)),
        explains=frozenset(("not-attributed", "wrong-region", "no-secure-channel")),
        way="out",
        edits=(Advice(program, command),),
        verify="The program's log of the next session, or the relay's, shows the client certificate; RCPT TO is answered 250.",
        place=18,
    )


def _wanted(connector: InboundConnector) -> Told[object]:
    told = connector.attribute("TlsSenderCertificateName") or connector
    return seen(
        connector.certificate_name, told, f"{connector.label} asks for the certificate {connector.certificate_name}"
    )


def _lacking(path: MailPath) -> tuple[str, Told[object], str, str] | None:
    """The program, what shows that it has none, and the files that it has for receiving."""
    by_software: dict[str, list[Fact]] = {}
    values: dict[tuple[str, str], str] = {}
    for each in path.bundle.settings:
        by_software.setdefault(each.software, []).append(each)
        values[each.software, each.name.casefold()] = each.value
    sending = [each for each in path.bundle.settings if each.software == "exim" and each.section]
    transports = {each.section for each in sending if each.name == "driver" and each.value == "smtp"}
    if transports and not any(each.name == "tls_certificate" and each.section in transports for each in sending):
        one = next(each for each in sending if each.section in transports)
        says = f"transport {one.section}: tls_certificate is not set"
        return (
            "Exim",
            inferred(one, one, says),
            values.get(("exim", "tls_certificate"), ""),
            values.get(("exim", "tls_privatekey"), ""),
        )
    if len(by_software.get("sendmail", ())) > 1 and ("sendmail", "confclient_cert") not in values:
        one_fact = by_software["sendmail"][0]
        return (
            "sendmail",
            inferred(one_fact, one_fact, "confCLIENT_CERT is not set"),
            values.get(("sendmail", "confserver_cert"), ""),
            values.get(("sendmail", "confserver_key"), ""),
        )
    actions = [
        each
        for each in path.bundle.settings
        if each.software == "opensmtpd" and each.name == "action" and " relay" in each.value
    ]
    if actions and not any(" pki " in f"{each.value} " for each in actions):
        return "OpenSMTPD", inferred(actions[0], actions[0], f"action {actions[0].value}: no pki"), "", ""
    java = [each for each in path.bundle.settings if each.software == "java"]
    if java and not any("keystore" in each.name.casefold() for each in java):
        return "Java", inferred(java[0], java[0], "no key store is set"), "", ""
    return None
