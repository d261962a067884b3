"""One module per family of the catalogue, one function per cause. A family is added by adding its module."""

from functools import cache
from importlib import import_module
from pkgutil import iter_modules

from gatepost.doctor.finding import Rule


@cache
def all_rules() -> tuple[Rule, ...]:
    """Every registered rule, in the order of the catalogue."""
    modules = [import_module(f"{__name__}.{each.name}") for each in iter_modules(__path__)]
    found = {each.id: each for module in modules for each in vars(module).values() if isinstance(each, Rule)}
    return tuple(sorted(found.values(), key=lambda each: (each.catalogue or ("~",), each.id)))
