"""What attacks over real sessions stand on: the fixtures of the end-to-end tests."""

from end_to_end.conftest import certificates, contoso, fabrikam, operator, outside

__all__ = ["certificates", "contoso", "fabrikam", "operator", "outside"]
