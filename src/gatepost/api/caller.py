"""Who asks by a token."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from gatepost.https.caller import AnyCaller
from gatepost.tenancy.token import Token


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller(AnyCaller):
    token: Token


def _caller(request: Request) -> Caller:
    caller: Caller = request.state.caller
    return caller


CallerOf = Annotated[Caller, Depends(_caller)]
