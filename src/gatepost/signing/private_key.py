"""Private keys: made, read from a file, and put to use.

Law: a key that is too weak for the world is not taken (RFC 8301 3.2: RSA of 1024 bits and more is verified, and large
receivers ask for 2048).
"""

from base64 import b64encode
from collections.abc import Callable
from hashlib import sha256
from typing import Final, NamedTuple

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_der_private_key,
    load_pem_private_key,
)

from gatepost.errors import BadRequest

_PUBLIC_EXPONENT: Final = 65537
_RSA_BITS: Final = {"rsa2048": 2048, "rsa4096": 4096}


class KeyPair(NamedTuple):
    algorithm: str
    """`rsa2048`, `rsa4096` or `ed25519`."""
    private: bytes
    """PKCS #8, DER."""
    public: str
    """As the `p=` tag of the record has it."""


def new_pair(algorithm: str) -> KeyPair:
    bits = _RSA_BITS.get(algorithm)
    return _pair(generate_private_key(_PUBLIC_EXPONENT, bits) if bits else Ed25519PrivateKey.generate())


def pair_from_pem(pem: bytes, source: str) -> KeyPair:
    """Raises `BadRequest` for what cannot sign."""
    try:
        return _pair(load_pem_private_key(pem, None))
    except TypeError:
        raise BadRequest(f"{source}: the key is encrypted; decrypt it first: openssl pkey -in {source}") from None
    except (ValueError, UnsupportedAlgorithm):
        raise BadRequest(f"{source} has no private key in PEM form") from None


def signing_with(private: bytes) -> Callable[[bytes], bytes]:
    """RFC 6376 3.3, RFC 8463 3: what signs the hashed header fields."""
    key = load_der_private_key(private, None, unsafe_skip_rsa_key_validation=True)
    if isinstance(key, RSAPrivateKey):
        padding, digest = PKCS1v15(), SHA256()
        return lambda octets: key.sign(octets, padding, digest)
    assert isinstance(key, Ed25519PrivateKey)
    return lambda octets: key.sign(sha256(octets).digest())


def _pair(key: object) -> KeyPair:
    if isinstance(key, Ed25519PrivateKey):
        raw = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        return KeyPair("ed25519", _der(key), b64encode(raw).decode())
    if not isinstance(key, RSAPrivateKey):
        raise BadRequest("the key is neither RSA nor Ed25519, and DKIM knows no other")
    algorithm = next((name for name, bits in _RSA_BITS.items() if bits == key.key_size), None)
    if algorithm is None:
        raise BadRequest(f"the RSA key has {key.key_size} bits: use 2048 or 4096")
    public = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return KeyPair(algorithm, _der(key), b64encode(public).decode())


def _der(key: RSAPrivateKey | Ed25519PrivateKey) -> bytes:
    return key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
