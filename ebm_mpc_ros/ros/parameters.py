"""Declaration tables: what a node's parameters are called, mean and may be. No rclpy here."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, cast

from ebm_mpc_ros.errors import UserError

Kind = Literal["bool", "int", "float", "str", "bools", "floats", "strs"]
Value = bool | int | float | str | list[bool] | list[float] | list[str]

_SCALARS: dict[str, Kind] = {"bools": "bool", "floats": "float", "strs": "str"}
_TYPES: dict[str, type] = {"bool": bool, "int": int, "float": float, "str": str}
_LARGEST_INT = 2**63 - 1
_WORDS = {"bool": "true or false", "int": "a whole number", "float": "a number", "str": "text"}


# Every rclpy node has these by itself.
_OF_EVERY_NODE = ("use_sim_time", "start_type_description_service", "qos_overrides.")


class ParameterError(UserError):
    """A parameter's value is not allowed."""


@dataclass(frozen=True, kw_only=True)
class Parameter:
    """One parameter of a node.

    Attributes:
        name: Its name, dots included.
        kind: Its type; a list's is the plural.
        default: Its value where the user gives none.
        description: What it does, one sentence.
        unit: Of its value, such as m/s; empty where there is none.
        minimum: Smallest value allowed.
        maximum: Largest value allowed.
        above: Bound that itself is not allowed.
        choices: The only values allowed.
        lengths: The lengths allowed for a list; empty for any.
        live: Whether it may change while the node is configured.
    """

    name: str
    kind: Kind
    default: Value
    description: str
    unit: str = ""
    minimum: float | None = None
    maximum: float | None = None
    above: float | None = None
    choices: tuple[Value, ...] = ()
    lengths: tuple[int, ...] = ()
    live: bool = False

    def check(self, value: Any) -> Value:
        """Return `value` in this parameter's type.

        Raises:
            ParameterError: It is of another type, out of range or not finite.
        """
        if self.kind in _SCALARS:
            if isinstance(value, str | bytes | Mapping) or not isinstance(value, Iterable):
                raise self._refusal(value)
            items = [self._scalar(_SCALARS[self.kind], item, value) for item in value]
            if self.lengths and len(items) not in self.lengths:
                raise self._refusal(f"{len(items)} values")
            return cast("Value", items)
        return self._scalar(self.kind, value, value)

    @property
    def allowed(self) -> str:
        """The values allowed, in words."""
        if self.choices:
            return " or ".join(shown(choice) for choice in self.choices)
        words = _WORDS[_SCALARS.get(self.kind, self.kind)]
        if self.above is not None:
            words += f" above {self.above:g}"
        if self.minimum is not None and self.maximum is not None:
            words += f" from {self.minimum:g} to {self.maximum:g}"
        elif self.minimum is not None:
            words += f", at least {self.minimum:g}"
        elif self.maximum is not None:
            words += f", at most {self.maximum:g}"
        if self.kind in _SCALARS:
            lengths = " or ".join(str(length) for length in self.lengths)
            words = f"a list of {lengths + ' of ' if lengths else ''}{words}"
        return words

    def _scalar(self, kind: Kind, item: Any, shown: Any) -> bool | int | float | str:
        whole = isinstance(item, int) and not isinstance(item, bool)
        if whole and abs(item) > _LARGEST_INT:
            raise self._refusal(shown)
        if kind == "float" and whole:
            item = float(item)
        if not isinstance(item, _TYPES[kind]) or (kind == "int" and not whole):
            raise self._refusal(shown)
        if kind in ("int", "float") and not self._within(cast("float", item)):
            raise self._refusal(shown)
        if self.choices and item not in self.choices:
            raise self._refusal(shown)
        return cast("bool | int | float | str", item)

    def _within(self, number: float) -> bool:
        return (
            math.isfinite(number)
            and (self.above is None or number > self.above)
            and (self.minimum is None or number >= self.minimum)
            and (self.maximum is None or number <= self.maximum)
        )

    def _refusal(self, value: Any) -> ParameterError:
        return ParameterError(f"parameter {self.name} = {shown(value)}: must be {self.allowed}")


def shown(value: Any) -> str:
    """Return a value as users write it, cut short."""
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return text if len(text) <= 60 else text[:57] + "..."


def read(table: Iterable[Parameter], given: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Return the value of every parameter in `table`, and the names in `given` that aren't in it.

    Raises:
        ParameterError: A given value is not allowed.
    """
    rows = {row.name: row for row in table}
    values: dict[str, Any] = {name: row.default for name, row in rows.items()}
    values |= {name: rows[name].check(value) for name, value in given.items() if name in rows}
    strange = (name for name in given if name not in rows)
    return values, sorted(name for name in strange if not name.startswith(_OF_EVERY_NODE))
