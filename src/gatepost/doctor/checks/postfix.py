"""Postfix as the relay between programs and service: its TLS outwards, its own rules, its login."""

# ruff: noqa: E501 - a sentence broken over lines reads worse

from collections.abc import Iterator
from ipaddress import ip_network
from shlex import quote as shell_quoted
from typing import Final

from gatepost.doctor.addresses import Network, parsed_address, refused_by_attribution
from gatepost.doctor.causes import cause_named
from gatepost.doctor.checks.check import Check, Need
from gatepost.doctor.checks.endpoint import endpoint_of
from gatepost.doctor.checks.named import filled, repair_for
from gatepost.doctor.evidence import PostfixDelivery, PostfixSetting, PostfixTlsLine, RelayPolicyReject
from gatepost.doctor.path.objects import MailPath
from gatepost.doctor.path.told import Told, inferred, seen
from gatepost.doctor.path.values import ENDPOINT
from gatepost.doctor.repairs import Advice, Edit

_NO_TLS: Final = ("", "none")
_CERTIFICATES: Final = ("smtp_tls_cert_file", "smtp_tls_chain_files", "smtp_tls_eccert_file")
_REFUSED: Final = ("not-attributed", "no-secure-channel", "no-starttls", "partner-lock")


def _setting(path: MailPath, name: str) -> PostfixSetting | None:
    return path.bundle.postfix_setting(name)


def speaks_tls_outwards(path: MailPath) -> Iterator[Check]:
    """`postconf -n` shows what differs from the default, and the default of smtp_tls_security_level is no TLS."""
    shown = [each for each in path.bundle.postfix_settings if not each.service]
    if len(shown) < 2 or not any(
        each.name in ("relayhost", "myhostname", "mynetworks", "mydestination", "inet_interfaces") for each in shown
    ):
        return
    level = _setting(path, "smtp_tls_security_level")
    legacy = any(each.name in ("smtp_use_tls", "smtp_enforce_tls") and each.value.casefold() == "yes" for each in shown)
    elsewhere = any(
        each.name.startswith(("smtp_tls_policy_maps", "smtp_tls_per_site"))
        or (each.service and each.name == "smtp_tls_security_level")
        for each in path.bundle.postfix_settings
    )
    established = any(each.kind == "established" for each in path.bundle.postfix_tls)
    if legacy or elsewhere or established or (level is not None and level.value.strip() not in _NO_TLS):
        return
    if not path.symptoms_of(_REFUSED) or not _tls_is_what_counts(path) or not _leads_to_the_service(path):
        return
    listening = next((each for each in shown if each.name.startswith("smtpd_tls_")), None)
    premises: list[Told[object]] = [
        seen(level, level, f"smtp_tls_security_level = {level.value}")
        if level
        else seen("", shown[0], "smtp_tls_security_level is not set, which means no TLS"),
    ]
    if listening is not None:
        premises.append(seen(listening, listening, f"{listening.name} is for the receiving side only"))
    named = next((each for each in path.bundle.inbound_connectors if each.certificate_name), None)
    if named is not None:
        premises.append(seen(named, named, f"the connector asks for the certificate {named.certificate_name}"))
    yield Check(
        cause="connector-does-not-use-tls",
        catalogue=("B17", "B13"),
        standing="broken",
        subject="smtp_tls_security_level",
        says="Postfix sends in plain text: smtp_tls_security_level is not set, and smtpd_tls_ settings are for receiving only. The service demands TLS"
        + (" and a client certificate." if named else "."),
        premises=tuple(premises),
        explains=frozenset(_REFUSED),
        way="out",
        edits=tuple(_tls_on(path, named is not None)),
        verify="The log says 'TLS connection established to' for this relay, and with TLS 1.3 'client-signature' in the same line.",
        place=20,
    )


def _leads_to_the_service(path: MailPath) -> bool:
    """Whether this Postfix is the one that hands the mail over: its log says so, or its next hop is not another relay,
    and no other program's log shows the session."""
    if any(ENDPOINT in each.relay for each in path.bundle.postfix_deliveries):
        return True
    if path.bundle.exim or any(each.way == "out" and each.log.log == "send" for each in path.sessions):
        return False
    relay = _setting(path, "relayhost")
    named = relay.value.casefold() if relay is not None else ""
    return not named.strip("[] ") or ENDPOINT in named or not _is_kin(path, named)


def _is_kin(path: MailPath, relay: str) -> bool:
    """Whether the next hop is a host of the same domain as this one: a relay of one's own, which does the rest."""
    own = _setting(path, "myhostname")
    domain = own.value.casefold().partition(".")[2] if own is not None else ""
    return bool(domain) and relay.strip("[]").partition("]")[0].endswith("." + domain)


def _tls_is_what_counts(path: MailPath) -> bool:
    """A refusal that names TLS; or a connector that goes by a certificate, and by no address."""
    if path.symptoms_of(("no-secure-channel", "no-starttls")):
        return True
    return any(each.certificate_name and not each.addresses for each in path.bundle.inbound_connectors)


def _tls_on(path: MailPath, with_certificate: bool) -> Iterator[Edit]:
    settings = ["smtp_tls_security_level=encrypt"]
    if with_certificate:
        certificate, key = _setting(path, "smtpd_tls_cert_file"), _setting(path, "smtpd_tls_key_file")
        settings.append(f"smtp_tls_cert_file={certificate.value if certificate else '/etc/postfix/client-chain.pem'}")
        settings.append(f"smtp_tls_key_file={key.value if key else '/etc/postfix/client-key.pem'}")
    yield Advice("Postfix", f"postconf -e {' '.join(map(shell_quoted, settings))} && postfix reload")


# --- its own rules --------------------------------------------------------------------------------------------------


def own_relay_takes_its_clients(path: MailPath) -> Iterator[Check]:
    """NOQUEUE and reject are smtpd's own words: the service was never asked. Whether the client is in mynetworks is told."""
    rejects = [each for each in path.bundle.relay_rejects if _is_policy(each)]
    if not rejects:
        return
    attributed = sum(each.count for each in path.bundle.replies if refused_by_attribution(each))
    if attributed >= len(rejects):
        yield Check(
            cause="local-relay-refused-first",
            standing="holds",
            subject="relay",
            says="the service itself refused: its reply carries its trailer",
            premises=tuple(seen(each, each) for each in path.bundle.replies if refused_by_attribution(each))[:1],
            explains=frozenset(("not-attributed", "relay-refused")),
        )
        return
    one = rejects[0]
    networks = _setting(path, "mynetworks")
    address = parsed_address(one.client_address)
    listed = (
        address is not None
        and networks is not None
        and any(address in each for each in _networks(networks.value) if each.version == address.version)
    )
    premises: list[Told[object]] = [seen(one, one)]
    if networks is not None:
        premises.append(seen(networks, networks, f"mynetworks = {networks.value}"))
    kind = "IPv6 " if address is not None and address.version == 6 else ""
    lacks = (
        f"; mynetworks lacks its {kind}address" if networks is not None and address is not None and not listed else ""
    )
    yield Check(
        cause="local-relay-refused-first",
        standing="broken",
        subject=one.client_address or one.host,
        says=f"{one.host or 'Your own relay'} refuses {one.client_name or 'the client'} [{one.client_address}] by its own rules{lacks}; the service was never asked.",
        premises=tuple(premises),
        explains=frozenset(("relay-refused", "local-relay-refused", "nothing-goes")),
        way="out",
        edits=tuple(_let_in(one, networks, listed)),
        verify=f"{one.host or 'The relay'} answers RCPT TO with 250 and logs a line with status=sent.",
        names_what_happens=_knows_by_certificate(path, one),
        place=15,
        alone=True,
    )


def _knows_by_certificate(path: MailPath, reject: RelayPolicyReject) -> bool:
    """Whether the relay lets clients in by their certificate: then what is wrong with that one is the cause."""
    lists = _setting(path, "relay_clientcerts") is not None
    permits = any("clientcerts" in each.value or "ccert_access" in each.value for each in path.bundle.postfix_settings)
    of_sendmail = any(word in each.output for each in path.bundle.shell for word in ("CERTSubject:", "CERTIssuer:"))
    doubted = any(
        each.kind == "verify-problem" and each.peer_address == reject.client_address for each in path.bundle.postfix_tls
    )
    unfit = path.symptoms_of(("not-for-clients", "authority-not-for-clients"))
    return lists or permits or of_sendmail or doubted or bool(unfit)


_POLICY: Final = ("access denied", "relay", "not permitted", "rcpthosts", "invalid recipient")


def _is_policy(reject: RelayPolicyReject) -> bool:
    text = (reject.text or reject.quote).casefold()
    if "outbound.protection.outlook" in reject.client_name.casefold() or "blocked using" in text:
        return False
    return reject.code in (None, 454, 550, 551, 553, 554) and any(each in text for each in _POLICY)


def _networks(value: str) -> Iterator[Network]:
    for text in value.replace(",", " ").split():
        try:
            yield ip_network(text.replace("[", "").replace("]", ""), strict=False)
        except ValueError:
            continue


def _let_in(reject: RelayPolicyReject, networks: PostfixSetting | None, listed: bool) -> Iterator[Edit]:
    address = reject.client_address or "CLIENT"
    if (program := _OTHER_PROGRAMS.get(reject.software.casefold())) is not None:
        yield Advice(program[0], program[1].replace("{client}", address))
        return
    if listed:
        yield Advice(
            "Postfix",
            "postconf smtpd_recipient_restrictions smtpd_relay_restrictions   # permit_mynetworks must stand before what rejects",
        )
        return
    entry = f"[{address}]/128" if ":" in address else f"{address}/32"
    if networks is not None:
        yield Advice(
            "Postfix", f"postconf -e {shell_quoted(f'mynetworks = {networks.value} {entry}')} && postfix reload"
        )
    else:
        yield Advice(
            "Postfix",
            f"# add {entry} to mynetworks (postconf mynetworks shows what is there); smtpd_relay_restrictions must begin with permit_mynetworks; then: postfix reload",
        )


_OTHER_PROGRAMS: Final = {
    "exim": (
        "Exim",
        "# add {client} to the hostlist relay_from_hosts (Debian: dc_relay_nets in /etc/exim4/update-exim4.conf.conf, then update-exim4.conf), then reload Exim",
    ),
    "opensmtpd": (
        "OpenSMTPD",
        '# smtpd.conf: match from src {client} for any action "outbound"   # before other rules; then: smtpd -n && rcctl restart smtpd (systemctl restart opensmtpd)',
    ),
    "sendmail": (
        "sendmail",
        "echo 'Connect:{client} RELAY' >> /etc/mail/access && makemap hash /etc/mail/access < /etc/mail/access   # no restart is needed; give the address a PTR record where the log says 'IP name lookup failed'",
    ),
    "qmail": (
        "qmail",
        "echo '{client}:allow,RELAYCLIENT=\"\"' >> /etc/tcp.smtp && qmailctl cdb   # RELAYCLIENT lets that client relay, whatever rcpthosts says",
    ),
}
"""Where another program than Postfix lists its clients; `{client}` is the one that was refused."""


# --- its login at the smart host ------------------------------------------------------------------------------------


def logs_in_where_login_is_demanded(path: MailPath) -> Iterator[Check]:
    demanded = path.symptoms_of(("login-demanded",))
    if not demanded:
        return
    sasl = _setting(path, "smtp_sasl_auth_enable")
    used = any(each.log.starttls_sent is not None and "AUTH" in each.log.quote for each in path.sessions)
    cause = cause_named("smart-host-wants-login")
    broken = not used and (sasl is None or sasl.value.casefold() != "yes")
    host = next((each.fact.said_by for each in demanded if hasattr(each.fact, "said_by") and each.fact.said_by), "HOST")
    reply = demanded[0]
    endpoint = endpoint_of(path)
    yield Check(
        cause=cause.id,
        standing="broken" if broken else "unknown",
        subject=host,
        says=cause.says,
        premises=(
            Told(value=reply, how=reply.how, source=reply.fact.source, says=reply.says),
            *((seen(sasl, sasl, f"smtp_sasl_auth_enable = {sasl.value}"),) if sasl else ()),
            *(() if path.bundle.postfix_settings else (inferred("", reply.fact, "no AUTH is seen in the session"),)),
        ),
        explains=frozenset(("login-demanded",)),
        way="out",
        edits=tuple(
            Advice(
                each.where,
                filled(
                    each.command,
                    {"host": host, "endpoint": endpoint.value if endpoint else "TENANT.mail.protection.outlook.com"},
                ),
            )
            for each in repair_for(path, cause, demanded)
        ),
        verify=cause.verify,
        needs=()
        if path.bundle.postfix_settings
        else (Need("postconf -n on the relay, or the settings of the program", 1),),
        place=50,
    )


# --- its list of clients' certificates ------------------------------------------------------------------------------

_LIKE_SHA256: Final = 3.6
"""The compatibility level from which smtpd_tls_fingerprint_digest is sha256; md5 before (postconf(5))."""


def fingerprints_are_of_one_digest(path: MailPath) -> Iterator[Check]:
    """relay_clientcerts is looked up by one digest; a list made with another matches nobody."""
    known = {
        each.kind.removeprefix("fingerprint-"): each
        for each in path.bundle.signs
        if each.kind in ("fingerprint-md5", "fingerprint-sha256")
    }
    setting, level = _setting(path, "smtpd_tls_fingerprint_digest"), _setting(path, "compatibility_level")
    used = setting.value.strip() if setting else _of_level(level.value) if level else ""
    shown = setting or level
    listed = next((kind for kind in known if kind != used), "")
    if not used or not listed or shown is None or used in known or not any(map(_is_policy, path.bundle.relay_rejects)):
        return
    yield Check(
        cause="fingerprint-digest-differs",
        standing="broken",
        subject="relay_clientcerts",
        says=f"This Postfix looks client certificates up by {used}, and the list holds {listed} fingerprints, so it knows none of them.",
        premises=(seen(used, shown, f"{shown.name} = {shown.value}"), seen(listed, known[listed])),
        explains=frozenset(("relay-refused",)),
        edits=(
            Advice(
                "Postfix",
                f"postconf -e smtpd_tls_fingerprint_digest={listed} && postfix reload   # at once, with the list as it is",
            ),
            Advice(
                "Postfix",
                f"openssl x509 -noout -fingerprint -{used} -in client.pem   # better: put the {used} fingerprints into relay_clientcerts, then postmap",
            ),
        ),
        verify="The session's log line says that the client certificate is known, and RCPT TO is answered 250.",
        place=14,
        alone=True,
    )


def _of_level(value: str) -> str:
    try:
        return "sha256" if float(".".join(value.strip().split(".")[:2])) >= _LIKE_SHA256 else "md5"
    except ValueError:
        return ""


# --- its certificate is for one destination ---------------------------------------------------------------------------

_OF_CERTIFICATES: Final = (42, 43, 46, 48)
"""Alerts by which a server says what it thinks of a client's certificate: bad, unsupported, unknown, unknown authority."""


def certificate_is_for_its_destination(path: MailPath) -> Iterator[Check]:
    """Set globally it is shown to every server that asks; one that refuses it is no fault of the relay's."""
    shown = next(
        (each for name in _CERTIFICATES if (each := _setting(path, name)) is not None and each.value.strip()), None
    )
    passing = {each.relay for each in path.bundle.postfix_deliveries if each.status == "sent"}
    passing |= {each.peer for each in path.bundle.postfix_tls if each.kind == "established"}
    refusing = [
        each
        for each in path.bundle.postfix_deliveries
        if each.status != "sent" and each.relay not in passing and "Cannot start TLS" in each.response
    ]
    alert = next((each for each in path.bundle.postfix_tls if each.alert in _OF_CERTIFICATES), None)
    if shown is None or not passing or not refusing or alert is None or path.symptoms_of(("not-attributed",)):
        return
    if not any(_setting(path, name) for name in ("relayhost", "transport_maps", "default_transport")):
        yield _nobody_needs_it(shown, alert, refusing[0])
        return
    relay = next(iter(passing))
    yield Check(
        cause="client-certificate-for-every-destination",
        standing="broken",
        subject=refusing[0].relay,
        says=f"{shown.name} is set for every destination; {refusing[0].relay} ends the handshake over the client certificate, which only {relay} needs.",
        premises=(seen(shown, shown), seen(alert, alert), seen(refusing[0], refusing[0])),
        explains=frozenset(("handshake-broke", "handshake-failure", "not-for-clients", "nothing-goes")),
        way="out",
        edits=(
            Advice(
                "Postfix",
                f"postconf -X smtp_tls_cert_file smtp_tls_key_file smtp_tls_chain_files; postconf -M 'relay-tls/unix=relay-tls unix - - n - - smtp'; postconf -P 'relay-tls/unix/{shown.name}={shown.value}'; postconf -e 'transport_maps = hash:/etc/postfix/transport'; postfix reload   # transport: the destinations over {relay} go by relay-tls:; its key file goes there as well",
            ),
        ),
        verify=f"{refusing[0].relay} takes the mail, and sessions with {relay} still present the certificate.",
        alone=True,
        place=16,
    )


def _nobody_needs_it(shown: PostfixSetting, alert: PostfixTlsLine, refusing: PostfixDelivery) -> Check:
    """Mail goes to everybody's own server: no relay is there that knows this one by its certificate."""
    names = ["smtp_tls_cert_file", "smtp_tls_key_file"]
    names += [shown.name] if shown.name not in names else []
    empty = " ".join(shell_quoted(f"{name} =") for name in names)
    return Check(
        cause="server-certificate-offered-to-everyone",
        standing="broken",
        subject=refusing.relay,
        says=f"{shown.name} offers the server certificate as a client certificate to every server that asks, and no relay needs it; {refusing.relay} ends the handshake over it.",
        premises=(seen(shown, shown), seen(alert, alert), seen(refusing, refusing)),
        explains=frozenset(("handshake-broke", "handshake-failure", "not-for-clients", "nothing-goes")),
        way="out",
        edits=(
            Advice(
                "Postfix",
                f'postconf -e {empty} && postfix reload   # smtpd_tls_* stay as they are; where a generator writes main.cf, set it there (NixOS: services.postfix.config, lib.mkForce "")',
            ),
        ),
        verify=f"{refusing.relay} takes the mail, and the log shows an established TLS session with it.",
        alone=True,
        place=16,
    )
