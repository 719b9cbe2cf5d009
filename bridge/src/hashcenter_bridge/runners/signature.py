"""Signatures of models: made by `model_signing sign key`, checked here with the owner's public key.

The signature is a bundle (JSON) around a DSSE envelope around an in-toto statement, which lists the
sha256 of each file. Only these hashes are compared, so that no weights are read twice.
Sources: OpenSSF Model Signing v1.0 (sigstore/model-transparency); DSSE v1.
"""

import base64
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

_MOST_BYTES: Final = 4 * 1024 * 1024
_BUNDLE: Final = "application/vnd.dev.sigstore.bundle.v0.3+json"
_STATEMENT: Final = "application/vnd.in-toto+json"
_MODEL: Final = "https://model_signing/signature/v1.0"


class BadSignature(ValueError):
    """The signature does not vouch for the model; the text says why, after "its signature"."""


def check(signature: Path, public_key: Path, hashes: Sequence[str]) -> None:
    """Raise BadSignature unless the key's owner signed files with all these hashes.

    `public_key` is an elliptic curve key in PEM (P-256, P-384 or P-521). Raises OSError.
    """
    signed = _signed_hashes(_read(signature), public_key.read_bytes())
    if unsigned := [one for one in hashes if one not in signed]:
        raise BadSignature(
            f"{signature} is of other weights: none with a sha256 that begins with "
            f"{unsigned[0][:12]}"
        )


def _read(signature: Path) -> bytes:
    with signature.open("rb") as file:
        content = file.read(_MOST_BYTES + 1)
    if len(content) > _MOST_BYTES:
        raise BadSignature(f"{signature} is too large to be one")
    return content


def _signed_hashes(bundle: bytes, key_pem: bytes) -> frozenset[str]:
    try:
        payload, signatures = _opened(json.loads(bundle))
        # As DSSE's pre-authentication encoding says it.
        said = f"DSSEv1 {len(_STATEMENT)} {_STATEMENT} {len(payload)} ".encode() + payload
    except (KeyError, TypeError, ValueError, RecursionError) as err:
        raise BadSignature(f"cannot be understood ({type(err).__name__})") from None
    if not any(_is_by(key_pem, one, said) for one in signatures):
        raise BadSignature("was not made with the key in signed_by")
    try:
        statement = json.loads(payload)
        of_model = statement["predicateType"] == _MODEL
        found = {_sha256(one) for one in statement["predicate"]["resources"] if of_model}
    except (KeyError, TypeError, ValueError, RecursionError) as err:
        raise BadSignature(f"cannot be understood ({type(err).__name__})") from None
    return frozenset(one for one in found if one)


def _opened(bundle: dict[str, Any]) -> tuple[bytes, list[bytes]]:
    """Return what was signed, and its signatures. Raises KeyError, TypeError or ValueError."""
    envelope = bundle["dsseEnvelope"]
    if (bundle["mediaType"], envelope["payloadType"]) != (_BUNDLE, _STATEMENT):
        raise ValueError
    signatures = [base64.b64decode(one["sig"]) for one in envelope["signatures"]]
    return base64.b64decode(envelope["payload"]), signatures


def _sha256(resource: dict[str, Any]) -> str | None:
    """Return the hash of one signed file; parts of files, or other hashes, are not compared."""
    return str(resource["digest"]).lower() if resource["algorithm"] == "sha256" else None


def _is_by(key_pem: bytes, signature: bytes, said: bytes) -> bool:
    # Only where an owner asks for signatures: the library is larger than the bridge.
    from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm  # noqa: PLC0415
    from cryptography.hazmat.primitives import hashes, serialization  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric import ec  # noqa: PLC0415

    digests = {256: hashes.SHA256(), 384: hashes.SHA384(), 521: hashes.SHA512()}
    try:
        key = serialization.load_pem_public_key(key_pem)
    except (ValueError, UnsupportedAlgorithm):
        raise BadSignature("cannot be checked: signed_by is no public key in PEM") from None
    if not isinstance(key, ec.EllipticCurvePublicKey) or key.curve.key_size not in digests:
        raise BadSignature("cannot be checked: signed_by is no key of the curves P-256 to P-521")
    try:
        key.verify(signature, said, ec.ECDSA(digests[key.curve.key_size]))
    except InvalidSignature:
        return False
    return True
