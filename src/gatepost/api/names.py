"""Names as they stand in a path."""

from typing import Annotated

from fastapi import Path

TenantName = Annotated[str, Path(min_length=1, max_length=64, description="Such as contoso.")]
DomainName = Annotated[str, Path(min_length=1, max_length=253, description="Such as contoso.com.")]
Selector = Annotated[str, Path(min_length=1, max_length=100, description="Of the signing key, such as gp202612.")]
ConnectorName = Annotated[str, Path(min_length=1, max_length=64, description="Of the connector.")]
StoredConnectorName = Annotated[str, Path(min_length=1, max_length=129, description="As the server has it.")]
Pin = Annotated[str, Path(min_length=64, max_length=95, description="A SHA-256, as proofs list it.")]
OneTimeAddressId = Annotated[str, Path(min_length=1, max_length=64, description="As it was given when it was made.")]
MessageId = Annotated[str, Path(max_length=40, description="Such as 0-4711.")]
SessionId = Annotated[str, Path(max_length=600, description="16 hexadecimal digits.")]
Version = Annotated[int, Path(ge=0, le=2**62, description="As the audit lists it.")]
