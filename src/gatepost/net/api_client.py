"""A client of a relay's Management API: JSON over HTTPS, with a token.

Laws: the server proves itself before the token is sent; silence, a stranger's certificate and a refusal are each one
line that says what to do; a redirect is not followed, because it would take the token elsewhere.
"""

import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
from cryptography import x509

from gatepost.errors import GatepostError

_CONNECT_S, _ANSWER_S = 10.0, 30.0

_MOST_OCTETS = 16 * 2**20
"""Of an answer, unpacked. A relay's pages end after 1 MiB and one object."""

_BUSY = frozenset({429, 503})

# X509_V_ERR numbers of OpenSSL.
_NOT_YET_VALID, _EXPIRED, _WRONG_NAME, _WRONG_ADDRESS = 9, 10, 62, 64


class ApiUnreachable(GatepostError):
    """No answer that could be trusted; one line."""


class ApiRefused(GatepostError):
    """The relay's "no"."""

    def __init__(self, status: int, code: str, says: str, do: str | None = None, field: str | None = None) -> None:
        super().__init__(says)
        self.status = status
        self.code = code
        self.says = says
        self.do = do
        self.field = field


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiAnswer:
    status: int
    body: Any
    """None where the answer has no content."""
    etag: str | None


class ApiClient:
    def __init__(self, url: str, token: str, authority: Path | None = None, *, option: str = "--relay-ca") -> None:
        """`authority` is a PEM file with what vouches for the server; None: the system's roots. `option`: how whoever
        runs this names it. Raises `ApiUnreachable` when it cannot be used."""
        self._option = option
        self._url = url
        self._authority = authority
        host = urlsplit(url).hostname or ""
        pinned = _pinned_name(authority, host) if authority else None
        self._extensions = {"sni_hostname": pinned} if pinned else {}
        self._client = httpx.Client(
            base_url=url,
            verify=_trust(authority, host),
            headers={"Authorization": f"Bearer {token}"},
            timeout=httpx.Timeout(_ANSWER_S, connect=_CONNECT_S),
            # A proxy of the environment is for browsing; the relay is asked directly.
            trust_env=False,
        )

    def request(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> ApiAnswer:
        """`path`: its segments quoted. Raises `ApiRefused`, `ApiUnreachable`."""
        try:
            with self._client.stream(
                method, _with_dots(path), json=body, headers=dict(headers or {}), extensions=self._extensions
            ) as coming:
                answer = self._whole(coming)
        except httpx.HTTPError as error:
            raise ApiUnreachable(self._why(error)) from None
        if answer.is_success:
            return ApiAnswer(
                status=answer.status_code,
                body=self._document(answer) if answer.content else None,
                etag=answer.headers.get("ETag"),
            )
        raise self._refusal(answer)

    def close(self) -> None:
        self._client.close()

    def _whole(self, coming: httpx.Response) -> httpx.Response:
        octets = bytearray()
        for part in coming.iter_bytes():
            octets += part
            if len(octets) > _MOST_OCTETS:
                raise ApiUnreachable(self._no_gatepost(coming))
        kept = {name: coming.headers[name] for name in ("ETag", "Retry-After") if name in coming.headers}
        return httpx.Response(coming.status_code, headers=kept, content=bytes(octets))

    def _document(self, answer: httpx.Response) -> Any:
        """Whatever answers may be no relay, or a hostile one."""
        try:
            document = answer.json()
        except (ValueError, RecursionError):
            document = None
        if not isinstance(document, dict):
            raise ApiUnreachable(self._no_gatepost(answer))
        return document

    def _refusal(self, answer: httpx.Response) -> Exception:
        try:
            error = answer.json()["error"]
            return ApiRefused(answer.status_code, error["code"], error["says"], error.get("do"), error.get("field"))
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            busy = answer.status_code in _BUSY
            return ApiUnreachable(self._is_busy(answer) if busy else self._no_gatepost(answer))

    def _is_busy(self, answer: httpx.Response) -> str:
        """No answer of the relay's own; what stands before it may say so too."""
        when = f"in {after} s" if (after := answer.headers.get("Retry-After", "")).isdigit() else "in a moment"
        return f"{self._url} is busy (HTTP {answer.status_code}): try again {when}"

    def _no_gatepost(self, answer: httpx.Response) -> str:
        return (
            f"what answers at {self._url} is no Management API of Gatepost (HTTP {answer.status_code}): is the port "
            "that of [api] in the relay's gatepost.toml, and is no proxy between?"
        )

    def _why(self, error: httpx.HTTPError) -> str:
        for cause in _causes(error):
            if isinstance(cause, ssl.SSLCertVerificationError):
                return f"{self._url} is not trusted: {self._why_not_trusted(cause)}"
            if isinstance(cause, ssl.SSLEOFError | ConnectionResetError):
                return self._closed()
            if isinstance(cause, ssl.SSLError):
                return f"{self._url} does not speak TLS as it should ({cause.reason}): is the port that of [api]?"
        if isinstance(error, httpx.RemoteProtocolError | httpx.ReadError | httpx.WriteError):
            return self._closed()
        if isinstance(error, httpx.TimeoutException):
            return f"{self._url} does not answer in time: does the relay run, and does a firewall let you through?"
        return (
            f"{self._url} cannot be reached ({error}): check host and port, that the relay runs, and that it has [api] "
            "in its gatepost.toml"
        )

    def _closed(self) -> str:
        return (
            f"{self._url} closed the connection without an answer: it has too many connections, or is being restarted; "
            "try again in a moment. Operators have connections reserved: [api] operators in its gatepost.toml"
        )

    def _why_not_trusted(self, error: ssl.SSLCertVerificationError) -> str:
        match error.verify_code:
            case code if code == _EXPIRED:
                return "its certificate has expired, or the clock here is wrong (timedatectl)"
            case code if code == _NOT_YET_VALID:
                return "its certificate is not valid yet: the clock here or at the relay is wrong (timedatectl)"
            case code if code in (_WRONG_NAME, _WRONG_ADDRESS):
                return f"{error.verify_message.rstrip('.')}: use the name in its certificate"
        by = f"what stands in {self._authority}" if self._authority else "the system's authorities"
        return (
            f"its certificate does not lead to {by} ({error.verify_message}): give the right PEM file with "
            f"{self._option}"
        )


def _with_dots(path: str) -> str:
    """RFC 3986 5.2.4: `.` and `..` would be taken out of a path, and others along with them. Names may be so called."""
    path, question_mark, query = path.partition("?")
    segments = [each.replace(".", "%2E") if each in (".", "..") else each for each in path.split("/")]
    return "/".join(segments) + question_mark + query


def _causes(error: BaseException) -> Iterator[BaseException]:
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__ or cause.__context__


def _trust(authority: Path | None, host: str) -> ssl.SSLContext:
    try:
        trust = ssl.create_default_context(cafile=str(authority) if authority else None)
    except (OSError, ssl.SSLError) as error:
        raise ApiUnreachable(
            f"{authority} cannot be used ({error.strerror or error}): it is the relay's certificate, or its "
            "authority's, as PEM"
        ) from None
    # A server's own certificate in the file is enough to know it by.
    trust.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    if authority and _is_loopback(host):
        # Nobody but this machine answers there, and no authority certifies such an address.
        trust.check_hostname = False
    return trust


def _pinned_name(authority: Path, host: str) -> str | None:
    """The name in the server's own certificate, where that is what the file holds: it is known by the certificate, by
    whatever name or address it is reached."""
    try:
        certificates = x509.load_pem_x509_certificates(authority.read_bytes())
    except (OSError, ValueError):
        return None
    names = [name for each in certificates if not _is_authority(each) for name in _dns_names(each)]
    return names[0] if names and host not in names and not _is_loopback(host) else None


def _is_authority(certificate: x509.Certificate) -> bool:
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except (x509.ExtensionNotFound, ValueError):
        return False


def _dns_names(certificate: x509.Certificate) -> list[str]:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (x509.ExtensionNotFound, ValueError):
        return []
    return [name for name in names.get_values_for_type(x509.DNSName) if not name.startswith("*")]


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
