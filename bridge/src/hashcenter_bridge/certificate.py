"""The certificate of the rig's API: made once by the rig itself, or the owner's own.

No authority vouches for one of our own making, so the rig proves it with its key instead: whoever
knows the key checks an HMAC over the certificate that the connection showed, and pins it. The key
itself never travels to a server that has not proven itself.
"""

import datetime as dt
import hashlib
import hmac
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from .errors import ConfigError
from .private import write_private

_LIFE: Final = dt.timedelta(days=3650)
_CONTEXT: Final = b"hashcenter proof v1\0"


@dataclass(frozen=True)
class Certificate:
    """Files in PEM; `fingerprint` is the SHA-256 of the certificate (DER)."""

    cert_file: Path
    key_file: Path
    fingerprint: bytes

    def context(self) -> ssl.SSLContext:
        """Return how to serve with it. Raises ConfigError when the files do not fit together."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        try:
            context.load_cert_chain(self.cert_file, self.key_file)
        except (OSError, ssl.SSLError) as err:
            raise ConfigError(
                f"[http] {self.cert_file} and {self.key_file} cannot be used ({err})"
            ) from None
        return context


def proof(key: str, nonce: bytes, fingerprint: bytes) -> str:
    """Return what only somebody who knows `key` can say about this certificate."""
    return hmac.new(key.encode(), _CONTEXT + nonce + fingerprint, hashlib.sha256).hexdigest()


def read(cert_file: Path, key_file: Path) -> Certificate:
    """Return the owner's own certificate. Raises ConfigError naming the file."""
    try:
        first = cert_file.read_text().partition("-----END CERTIFICATE-----")
        der = ssl.PEM_cert_to_DER_cert("".join(first[:2]).strip())
    except (OSError, ValueError) as err:
        why = getattr(err, "strerror", None) or "it is no certificate in PEM"
        raise ConfigError(f"[http] cert_file: {cert_file} cannot be read ({why})") from None
    return Certificate(cert_file, key_file, hashlib.sha256(der).digest())


def read_or_make(state_folder: Path) -> Certificate:
    """Return the rig's own certificate, making it on the first call. Raises ConfigError."""
    cert_file, key_file = state_folder / "api.crt", state_folder / "api.key"
    if not (cert_file.exists() and key_file.exists()):
        try:
            _make(cert_file, key_file)
        except OSError as err:
            raise ConfigError(f"{cert_file}: cannot be written ({err.strerror})") from None
    return read(cert_file, key_file)


def _make(cert_file: Path, key_file: Path) -> None:
    # Only here, once in a rig's life: the library is larger than the bridge.
    from cryptography import x509  # noqa: PLC0415
    from cryptography.hazmat.primitives import hashes, serialization  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric import ec  # noqa: PLC0415

    private = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "hashcenter")])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        # A rig without a clock may live in 1970; nobody checks these dates of a pinned certificate.
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + _LIFE)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        # Programs that check a name (Prometheus) are told this one: addresses change.
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("hashcenter")]), critical=False)
        .sign(private, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    write_private(
        key_file,
        private.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()),
    )
    write_private(cert_file, certificate.public_bytes(pem))
