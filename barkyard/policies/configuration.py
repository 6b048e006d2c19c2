"""Frozen dataclasses to and from JSON, and varied by dotted names."""

import dataclasses
import types
from collections.abc import Mapping
from typing import Any, Literal, TypeVar, Union, cast, get_args, get_origin, get_type_hints

from barkyard.errors import InvalidInput

Config = TypeVar("Config")


def to_json(config: Any) -> dict[str, Any]:
    """A configuration as plain JSON; a nested one carries its type's name under `kind`."""
    values = {}
    for field in dataclasses.fields(config):
        value = getattr(config, field.name)
        if dataclasses.is_dataclass(value):
            value = {"kind": type(value).__name__, **to_json(value)}
        values[field.name] = list(value) if isinstance(value, tuple) else value
    return values


def from_json(kind: type[Config], values: Mapping[str, Any], prefix: str = "") -> Config:
    """Inverse of `to_json`.

    Raises:
        InvalidInput: a field is unknown, missing, or of the wrong type.
    """
    hints = get_type_hints(kind)
    fields = {field.name: field for field in dataclasses.fields(cast(Any, kind))}
    for name in values:
        if name not in fields:
            raise InvalidInput(
                f"unknown setting {prefix + name!r}; valid: {', '.join(prefix + f for f in sorted(fields))}"
            )
    arguments = {}
    for name, field in fields.items():
        if name in values:
            arguments[name] = _convert(hints[name], values[name], prefix + name)
        elif field.default is dataclasses.MISSING:
            raise InvalidInput(f"setting {prefix + name!r} is missing")
    return kind(**arguments)


def vary(config: Config, overrides: Mapping[str, Any], prefix: str = "") -> Config:
    """A copy with some fields changed; `network.widths` reaches into a nested configuration.

    Args:
        config: what to vary.
        overrides: new values by dotted name.
        prefix: what stands before the names in messages.

    Raises:
        InvalidInput: a name is unknown or a value is of the wrong type.
    """
    values = to_json(config)
    for path, value in overrides.items():
        *parents, name = path.split(".")
        target = values
        for parent in parents:
            target = target.get(parent, {})
            if not isinstance(target, dict) or not target:
                raise InvalidInput(f"unknown setting {prefix + path!r}: {parent!r} holds no settings")
        if name not in target:
            valid = ", ".join(prefix + ".".join((*parents, field)) for field in sorted(target) if field != "kind")
            raise InvalidInput(f"unknown setting {prefix + path!r}; valid: {valid}")
        target[name] = value
    return from_json(type(config), values, prefix)


def _convert(hint: Any, value: Any, name: str) -> Any:
    nested: list[Any] = [kind for kind in _alternatives(hint) if dataclasses.is_dataclass(kind)]
    kinds = {kind.__name__: kind for kind in nested}
    if kinds and isinstance(value, Mapping):
        kind = kinds.get(str(value.get("kind")))
        if kind is None:
            raise InvalidInput(f"setting '{name}.kind' is {value.get('kind')!r}; valid: {', '.join(kinds)}")
        return from_json(kind, {key: item for key, item in value.items() if key != "kind"}, f"{name}.")
    if value is None and type(None) in _alternatives(hint):
        return None
    origin, parts = get_origin(hint), get_args(hint)
    if origin is Literal:
        if value in parts:
            return value
    elif origin is tuple and isinstance(value, list | tuple):
        hints = [parts[0]] * len(value) if parts[-1] is Ellipsis else list(parts)
        if len(hints) == len(value):
            return tuple(_convert(part, item, name) for part, item in zip(hints, value, strict=True))
    elif hint is float and isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    elif type(value) is hint:
        return value
    expected = " or ".join(map(repr, parts)) if origin is Literal else getattr(hint, "__name__", str(hint))
    raise InvalidInput(f"setting {name!r} is {value!r}; expected {expected}")


def _alternatives(hint: Any) -> tuple[Any, ...]:
    return get_args(hint) if get_origin(hint) in (Union, types.UnionType) else (hint,)
