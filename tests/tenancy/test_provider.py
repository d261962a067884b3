"""What groups give."""

from gatepost.tenancy.person import Role
from gatepost.tenancy.provider import GroupRole, Provider, ProviderFault

PROVIDER = Provider(
    name="acme",
    issuer="https://login.example",
    client_id="x",
    groups=(
        GroupRole(group="operators", role=Role.OPERATOR),
        GroupRole(group="contoso", role=Role.TENANT_READ, tenant="contoso"),
    ),
)


def test_the_first_group_of_the_file_decides() -> None:
    assert PROVIDER.role_of(["contoso", "operators"]) == PROVIDER.groups[0]
    assert PROVIDER.role_of(["contoso", "x"]) == PROVIDER.groups[1]
    assert PROVIDER.role_of([]) is None and PROVIDER.role_of(["Operators", "operators "]) is None


def test_a_fault_names_the_provider_and_the_way_that_is_left() -> None:
    assert str(ProviderFault("acme", "it is away")).startswith("provider acme: it is away; ")
