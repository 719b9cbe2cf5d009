"""Signatures that model_signing 1.1.1 made (`model_signing sign key`): the files in `signed`."""

import asyncio
import json
import shutil
from base64 import b64decode, b64encode
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from hypothesis import given, settings, strategies as st

from hashcenter_bridge.errors import RunnerFault
from hashcenter_bridge.runners.signature import BadSignature, check
from hashcenter_bridge.runners.weights import Trust, Weights
from tests.bridge.runners.test_weights import EMPTY

SIGNED = Path(__file__).parent / "signed"
KEY = SIGNED / "key.pub"
OF_FILE, OF_FOLDER = SIGNED / "model.gguf.sig", SIGNED / "folder.sig"
#: Of what test_weights' file holds, which is what was signed.
SHA256 = "94feb4ccc069b1ec3cda092c2d71ead2841224934204d73bdfd0f33a05b3e5a4"


@pytest.mark.parametrize("signature", [OF_FILE, OF_FOLDER])
def test_what_the_key_signed_is_accepted(signature: Path) -> None:
    check(signature, KEY, [SHA256])


def test_other_weights_are_not() -> None:
    with pytest.raises(BadSignature, match=r"is of other weights: .* begins with 000000000000"):
        check(OF_FILE, KEY, [SHA256, "0" * 64])


def changed(folder: Path, change: dict[str, Any], **statement: Any) -> Path:
    bundle = json.loads(OF_FILE.read_text())
    envelope = bundle["dsseEnvelope"] | change
    if statement:
        said = json.loads(b64decode(envelope["payload"])) | statement
        envelope["payload"] = b64encode(json.dumps(said).encode()).decode()
    bundle["dsseEnvelope"] = envelope
    file = folder / "changed.sig"
    file.write_text(json.dumps(bundle))
    return file


def test_a_statement_that_was_changed_is_not_signed(tmp_path: Path) -> None:
    listed = {"resources": [{"algorithm": "sha256", "name": ".", "digest": "0" * 64}]}
    file = changed(tmp_path, {}, predicate=listed)
    with pytest.raises(BadSignature, match="was not made with the key in signed_by"):
        check(file, KEY, ["0" * 64])


def test_no_signature_is_none(tmp_path: Path) -> None:
    with pytest.raises(BadSignature, match="was not made with the key"):
        check(changed(tmp_path, {"signatures": []}), KEY, [SHA256])


def test_another_key_did_not_sign(tmp_path: Path) -> None:
    public = ec.generate_private_key(ec.SECP384R1()).public_key()
    with pytest.raises(BadSignature, match="was not made with the key in signed_by"):
        check(OF_FILE, pem(tmp_path, public), [SHA256])


def test_what_is_no_key_is_named(tmp_path: Path) -> None:
    other = ed25519.Ed25519PrivateKey.generate().public_key()
    with pytest.raises(BadSignature, match="P-256 to P-521"):
        check(OF_FILE, pem(tmp_path, other), [SHA256])
    with pytest.raises(BadSignature, match="no public key in PEM"):
        check(OF_FILE, OF_FILE, [SHA256])


def pem(folder: Path, key: Any) -> Path:
    file = folder / "other.pub"
    file.write_bytes(
        key.public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
    )
    return file


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["dsseEnvelope", "mediaType", "payloadType", "payload", "signatures"]),
            inner,
            max_size=5,
        )
    ),
    max_leaves=12,
)


@settings(max_examples=300, deadline=None)
@given(content=st.binary(max_size=200) | JSON.map(lambda one: json.dumps(one).encode()))
def test_whatever_the_file_holds_it_is_refused(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    file = tmp_path_factory.getbasetemp() / "any.sig"
    file.write_bytes(content)
    with pytest.raises(BadSignature):
        check(file, KEY, [SHA256])


def weights(folder: Path, content: bytes, signature: Path | None = None) -> Weights:
    file = folder / "model.gguf"
    file.write_bytes(content)
    return Weights(file, Trust((), KEY, signature), "voice", folder)


def test_signed_weights_are_loaded_by_the_signature_beside_them(tmp_path: Path) -> None:
    shutil.copy(OF_FILE, tmp_path)
    asyncio.run(weights(tmp_path, EMPTY + b"the weights").verify())


def test_signed_weights_that_changed_are_refused(tmp_path: Path) -> None:
    model = weights(tmp_path, EMPTY + b"the Weights", signature=OF_FOLDER)
    with pytest.raises(RunnerFault, match=r"but its signature .* is of other weights") as refused:
        asyncio.run(model.verify())
    assert refused.value.code == "weights_unsigned"


def test_a_signature_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(RunnerFault, match=r"but .*model\.gguf\.sig cannot be read: No such file"):
        asyncio.run(weights(tmp_path, EMPTY + b"the weights").verify())
