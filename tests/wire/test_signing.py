"""A signature is of these very bytes, for this rig, with this key; both copies agree."""

import json
from importlib import import_module
from types import ModuleType

import pytest
from hypothesis import given, strategies as st

BODY = '{"kind":"stop_all","id":"a-1","engaged":false}'
#: Computed once with OpenSSL: printf '...' | openssl dgst -sha256 -hmac hc-key
SIGNATURE = "f82b751c0ca7d231f33cd6132743ac6b91efec2be2b444e4e2aa8c9e087aa279"

both = pytest.mark.parametrize(
    "signing",
    [
        import_module(f"{package}.signing")
        for package in ("hashcenter_bridge.wire", "custom_components.hashcenter.wire")
    ],
)


@both
def test_the_signature_is_the_last_member(signing: ModuleType) -> None:
    sent = signing.signed(BODY, "attic", "hc-key")
    assert sent == f'{BODY[:-1]},"signature":"{SIGNATURE}"}}'
    assert json.loads(sent)["signature"] == SIGNATURE
    assert signing.opened(sent.encode()) == (BODY.encode(), SIGNATURE)


@both
def test_it_is_of_one_rig_and_one_key(signing: ModuleType) -> None:
    body = BODY.encode()
    assert signing.signature(body, "attic", "hc-key") == SIGNATURE
    assert signing.signature(body, "cellar", "hc-key") != SIGNATURE
    assert signing.signature(body, "attic", "hc-key2") != SIGNATURE
    assert signing.signature(body + b" ", "attic", "hc-key") != SIGNATURE


@both
@pytest.mark.parametrize(
    "payload",
    [
        BODY,
        "",
        "{}",
        f'{{"signature":"{"0" * 64}"}}',
        f'{{"id":"1","signature":"{"0" * 63}"}}',
        f'{{"id":"1","signature":"{"A" * 64}"}}',
        f'{{"id":"1","signature":"{"0" * 64}","kind":"lease"}}',
        f'{{"id":"1", "signature":"{"0" * 64}"}}',
    ],
)
def test_anything_else_is_unsigned(signing: ModuleType, payload: str) -> None:
    assert signing.opened(payload.encode()) == (payload.encode(), None)


@both
@given(body=st.dictionaries(st.text(max_size=9), st.text(max_size=9), min_size=1), key=st.text())
def test_what_is_signed_can_be_opened(signing: ModuleType, body: dict[str, str], key: str) -> None:
    said = json.dumps(body)
    opened, signature = signing.opened(signing.signed(said, "attic", key).encode())
    assert json.loads(opened) == body
    assert signature == signing.signature(opened, "attic", key)
