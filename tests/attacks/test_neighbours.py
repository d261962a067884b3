"""A stranger in the network of a tenant's server is refused on purpose, so that the whole network has to wait.

What worked: after a restart nobody knew any more that the tenant's server, recognised by its certificate, is no
stranger; a neighbour that was refused often enough in each minute kept it out.
"""

from pathlib import Path

from end_to_end.installation import Installation
from end_to_end.outside import Outside
from end_to_end.scene import MESSAGE, Certificates, with_two_tenants
from end_to_end.smtp_client import SmtpClient

OWN_ADDRESS, NEIGHBOUR = "127.0.55.1", "127.0.55.2"
OUTSIDE = "someone@outside.example"


def contoso_sends(relay: Installation, certificates: Certificates) -> None:
    with SmtpClient(relay.port, source=OWN_ADDRESS) as smtp:
        smtp.starttls(certificates.pki.leaf("mail.contoso.com"))
        answer = smtp.message("ann@contoso.com", OUTSIDE, MESSAGE)
    assert answer.code == 250, answer.text


def is_let_in(relay: Installation, source: str) -> bool:
    """It says something that is refused, where it may."""
    with SmtpClient(relay.port, source=source) as smtp:
        if smtp.greeting.code != 220:
            return False
        smtp.ehlo()
        smtp.mail("x@evil.example", OUTSIDE)
    return True


def test_a_refused_neighbour_keeps_no_tenants_server_out_after_a_restart(
    tmp_path: Path, certificates: Certificates, outside: Outside
) -> None:
    listener = {"main": "[listener.limits]\nrefusals_per_minute = 5"}
    relay = Installation(tmp_path, client_roots=certificates.pki.roots_file, listeners=listener, workers=1)
    with_two_tenants(relay, outside.sink().port)
    with relay.serving():
        contoso_sends(relay, certificates)
    with relay.serving():
        while is_let_in(relay, NEIGHBOUR):
            pass
        contoso_sends(relay, certificates)
