"""The routes of signing keys are in the document, and nothing private is in what they show."""

from gatepost.api.application import document

KEY = "/v1/tenants/{tenant}/domains/{domain}/signing-keys/{selector}"


def test_every_operation_is_in_the_document() -> None:
    paths = document()["paths"]
    assert set(paths[KEY]) == {"get", "put", "delete"}
    assert set(paths[f"{KEY}/activation"]) == {"post", "delete"}
    assert set(paths[f"{KEY}/record"]) == {"get"}
    assert set(paths["/v1/signing-keys"]) == set(paths["/v1/tenants/{tenant}/signing-keys"]) == {"get"}


def test_the_private_key_is_taken_and_not_shown() -> None:
    schemas = document()["components"]["schemas"]
    assert "private_key" in schemas["SigningKeyBody"]["properties"]
    shown = schemas["SigningKeyShown"]["properties"]
    assert "public_key" in shown and not any("private" in name for name in shown)
    assert set(schemas["KeyRecord"]["properties"]) == {"name", "type", "value", "zone"}
