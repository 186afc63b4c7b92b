"""Environment variables that look like settings and are none: a letter too few must not pass in silence."""

from collections.abc import Iterator, Mapping
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, SecretStr

from fridge_assets.core.errors import FridgeError
from fridge_assets.core.names import nearest

PREFIX = "FRIDGE_"

ANY_NAME = "*"
"""In the name of a variable: the part that whoever sets it makes up, such as the name of a destination."""


def variable_names(model: type[BaseModel], prefix: str = PREFIX) -> Iterator[str]:
    """Every variable that sets something in ``model``, groups before what is in them."""
    for name, field in model.model_fields.items():
        variable = f"{prefix}{name.upper()}"
        yield variable
        yield from _inside(field.annotation, variable)


def secret_names(model: type[BaseModel]) -> frozenset[str]:
    """Names of the fields, at any depth, whose values must not be shown."""
    return frozenset(_secret(model))


def refuse_unknown(model: type[BaseModel], environment: Mapping[str, str]) -> None:
    """Refuse variables that begin as settings do and set nothing.

    Args:
        model: the settings.
        environment: variable → value; upper and lower case are the same to settings.

    Raises:
        FridgeError: names the variable and the one that was probably meant.
    """
    known = list(variable_names(model))
    for given in sorted(name for name in environment if name.upper().startswith(PREFIX)):
        name = given.upper()
        if any(_sets(pattern, name) for pattern in known):
            continue
        # Without the beginning that all have, which would make any two alike.
        candidates = [_like(pattern, name).removeprefix(PREFIX) for pattern in known]
        near = nearest(name.removeprefix(PREFIX), candidates)
        meant = f"; the nearest one is {PREFIX}{near}" if near else ""
        raise FridgeError(
            f"{given} is no setting{meant}",
            "Correct its name or unset it; fridge_assets/settings has all names.",
        )


def _secret(annotation: Any, name: str = "") -> Iterator[str]:
    if annotation is SecretStr:
        yield name
    elif isinstance(annotation, type) and issubclass(annotation, BaseModel):
        for own, field in annotation.model_fields.items():
            yield from _secret(field.annotation, own)
    else:
        for part in get_args(annotation):
            yield from _secret(part, name)


def _inside(annotation: Any, variable: str) -> Iterator[str]:
    """Variables of what is in a group, or in any group of a mapping."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield from variable_names(annotation, f"{variable}__")
    elif get_origin(annotation) in (Annotated, Union, UnionType):
        for part in get_args(annotation):
            yield from _inside(part, variable)
    elif get_origin(annotation) is dict:
        yield f"{variable}__{ANY_NAME}"
        yield from _inside(get_args(annotation)[1], f"{variable}__{ANY_NAME}")


def _sets(pattern: str, name: str) -> bool:
    parts, given = pattern.split("__"), name.split("__")
    return len(parts) == len(given) and all(
        part in (ANY_NAME, own) and own for part, own in zip(parts, given, strict=True)
    )


def _like(pattern: str, name: str) -> str:
    """``pattern`` with the names that ``name`` has made up, so that only the fixed parts are compared."""
    given = name.split("__")
    return "__".join(
        given[place] if part == ANY_NAME and place < len(given) else part
        for place, part in enumerate(pattern.split("__"))
    )
