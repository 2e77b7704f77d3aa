"""What a checkpoint promises: the robot, the data and the numbers that its network was made for."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Literal, get_args

import ebm_mpc_ros
from ebm_mpc_ros.learning.normaliser import Scaling, is_number

FORMAT_VERSION = 1

Kind = Literal["policy", "transition"]
KINDS: tuple[Kind, ...] = get_args(Kind)


class ContractError(ValueError):
    """A contract has a field that is not what it must be."""


@dataclass(frozen=True, kw_only=True)
class Contract:
    """What has to agree between a checkpoint and who uses it.

    Attributes:
        kind: What the energy is of: a chunk of inputs, or a transition.
        architecture: Name and sizes from which the network is built again.
        model: Name of the robot's model.
        state_names: The model's.
        input_names: The model's.
        condition_names: Columns of the condition c.
        units: Of conditions and inputs, by name.
        dt: Step in s.
        horizon: Steps of a chunk; 1 for a transition.
        condition_scaling: Of the columns of c.
        variable_scaling: Of the inputs of one step for a policy, of y for a transition.
        sigmas: Smallest and largest noise level that was trained.
        data_digest: SHA-256 of the training data.
        details: What only this kind of checkpoint has.
        package_version: Who wrote it.
        format_version: Of the file.

    Raises:
        ContractError: A field is of another type or out of its range.
    """

    kind: Kind
    architecture: Mapping[str, Any]
    model: str
    state_names: tuple[str, ...]
    input_names: tuple[str, ...]
    condition_names: tuple[str, ...]
    units: Mapping[str, str]
    dt: float
    horizon: int
    condition_scaling: Scaling
    variable_scaling: Scaling
    sigmas: tuple[float, ...]
    data_digest: str
    details: Mapping[str, Any] = field(default_factory=dict)
    package_version: str = ebm_mpc_ros.__version__
    format_version: int = FORMAT_VERSION

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ContractError(f"kind is {self.kind!r}, must be {' or '.join(KINDS)}")
        for names, kind, words in (
            (("architecture", "units", "details"), Mapping, "map names to values"),
            (("model", "data_digest", "package_version"), str, "be text"),
        ):
            for name in names:
                if not isinstance(getattr(self, name), kind):
                    raise ContractError(f"{name} must {words}")
        for name in ("state_names", "input_names", "condition_names"):
            object.__setattr__(self, name, _texts(name, getattr(self, name)))
        object.__setattr__(self, "sigmas", _numbers("sigmas", self.sigmas))
        if not is_number(self.dt) or self.dt <= 0.0:
            raise ContractError(f"dt is {self.dt}, must be a number above 0")
        if type(self.horizon) is not int or self.horizon < 1:
            raise ContractError(f"horizon is {self.horizon}, must be a whole number from 1 up")
        for name in ("condition_scaling", "variable_scaling"):
            object.__setattr__(self, name, _scaling(name, getattr(self, name)))
        self._check_lengths()

    def _check_lengths(self) -> None:
        pairs = [("condition_scaling", "condition_names")]
        if self.kind == "policy":
            pairs.append(("variable_scaling", "input_names"))
        for scaling, names in pairs:
            if len(getattr(self, scaling).mean) != len(getattr(self, names)):
                raise ContractError(f"{scaling} and {names} differ in length")

    def to_json(self) -> str:
        """Return the contract as JSON, the same text for the same contract."""
        return json.dumps(asdict(self), sort_keys=True, allow_nan=False)

    @classmethod
    def from_json(cls, text: str) -> Contract:
        """Return the contract of such a text.

        Raises:
            ContractError: It is none, no JSON, or of another version of the format.
        """
        values = json.loads(text)
        if not isinstance(values, dict):
            raise ContractError("its contract is no JSON object")
        version = values.get("format_version")
        if version != FORMAT_VERSION:
            raise ContractError(
                f"it has format version {version}, this is ebm_mpc_ros {ebm_mpc_ros.__version__}, "
                f"which reads version {FORMAT_VERSION}"
            )
        known = {entry.name for entry in fields(cls)}
        missing, strange = sorted(known - set(values)), sorted(set(values) - known)
        if missing or strange:
            parts = [f"lacks {', '.join(missing)}"] * bool(missing)
            parts += [f"has a strange {', '.join(strange)}"] * bool(strange)
            raise ContractError(f"its contract {' and '.join(parts)}")
        return cls(**values)


def _scaling(name: str, value: Any) -> Scaling:
    if isinstance(value, Scaling):
        return value
    try:
        return Scaling(**value)
    except (TypeError, ValueError) as error:
        raise ContractError(f"{name}: {error}") from error


def _texts(name: str, values: Any) -> tuple[str, ...]:
    if isinstance(values, str) or not isinstance(values, Sequence):
        raise ContractError(f"{name} must be a list of texts")
    if not all(isinstance(value, str) for value in values):
        raise ContractError(f"{name} must be a list of texts")
    return tuple(values)


def _numbers(name: str, values: Any) -> tuple[float, ...]:
    if not isinstance(values, Sequence) or not all(map(is_number, values)):
        raise ContractError(f"{name} must be a list of finite numbers")
    return tuple(float(value) for value in values)
