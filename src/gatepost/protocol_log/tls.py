"""The outcome of a TLS handshake as protocol log rows: the sentences that Exchange writes, from OpenSSL's names."""

import re
from functools import lru_cache
from typing import Final, Literal

# OpenSSL's name for the bulk cipher or digest, as it stands within a cipher suite's name, and Windows' name for it.
_BULK: Final = (
    (re.compile(r"AES_?256"), "CALG_AES_256"),
    (re.compile(r"AES_?192"), "CALG_AES_192"),
    (re.compile(r"AES_?128"), "CALG_AES_128"),
    (re.compile(r"DES-CBC3|3DES"), "CALG_3DES"),
    (re.compile(r"RC4"), "CALG_RC4"),
)
_DIGESTS: Final = {"SHA384": "CALG_SHA_384", "SHA256": "CALG_SHA_256", "SHA": "CALG_SHA1", "MD5": "CALG_MD5"}
_DIGEST_BITS: Final = {"CALG_SHA_384": 384, "CALG_SHA_256": 256, "CALG_SHA1": 160, "CALG_MD5": 128}
_AUTHENTICATED = re.compile(r"GCM|CCM|POLY1305")


@lru_cache(maxsize=256)
def tls_row(protocol: str, cipher: str, cipher_bits: int, role: Literal["CLIENT", "SERVER"]) -> str:
    """Context of the row after a handshake. `protocol` is `TLSv1.3`, `cipher` is the suite's OpenSSL name.

    The strength of the key exchange is 0: OpenSSL's suite names do not tell it.
    """
    token = protocol.removeprefix("TLSv").replace(".", "_")
    version = f"TLS{token}" if "_" in token else f"TLS{token}_0"
    digest = _DIGESTS.get(cipher.replace("_", "-").rsplit("-", 1)[-1], "CALG_NONE")
    # With an AEAD suite the digest serves key derivation only, and Exchange gives the MAC strength as 0.
    digest_bits = 0 if _AUTHENTICATED.search(cipher) else _DIGEST_BITS.get(digest, 0)
    return (
        f"TLS protocol SP_PROT_{version}_{role} negotiation succeeded using bulk encryption algorithm "
        f"{_bulk(cipher)} with strength {cipher_bits} bits, MAC hash algorithm {digest} with strength {digest_bits} "
        f"bits and key exchange algorithm {_key_exchange(protocol, cipher)} with strength 0 bits"
    )


def _bulk(cipher: str) -> str:
    for pattern, name in _BULK:
        if pattern.search(cipher):
            return name
    return "CHACHA20_POLY1305" if "CHACHA20" in cipher else cipher


def _key_exchange(protocol: str, cipher: str) -> str:
    if protocol == "TLSv1.3" or cipher.startswith("ECDHE"):
        return "CALG_ECDH_EPHEM"
    return "CALG_DH_EPHEM" if cipher.startswith("DHE") else "CALG_RSA_KEYX"


def tls_failure_row(error: str) -> str:
    """Context of the row after a handshake that failed; `error` as OpenSSL words it."""
    return f"TLS negotiation failed with error {error}"


# OpenSSL's X509_V_ERR numbers, and what Exchange calls the same fault of a chain.
_CHAIN_STATUS: Final = {
    2: "InternalChainFailure",  # unable to get issuer certificate
    7: "SignatureFailure",
    9: "CertificateExpired",  # not yet valid: Windows has one code for both ends of the time
    10: "CertificateExpired",
    18: "UntrustedRoot",  # self-signed leaf
    19: "UntrustedRoot",  # self-signed certificate in chain
    20: "InternalChainFailure",  # unable to get local issuer certificate
    21: "InternalChainFailure",  # unable to verify the first certificate
    23: "Revoked",
    24: "BasicConstraintsError",
    26: "WrongKeyUsage",
}


def client_chain_row(presented: bool, error: int | None) -> str:
    """Context of the receive side's row about the client's certificate; `error` is the decisive X509_V_ERR number."""
    status = "EmptyCertificate" if not presented else "Valid" if error is None else _CHAIN_STATUS.get(error)
    return f"Client certificate chain validation status: '{status or f'X509_V_ERR {error}'}'"
