"""Trained networks as files: weights in safetensors, their contract in its metadata; no torch.

Nothing is unpickled. A file appears under its name complete, or not at all.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ebm_mpc_ros.learning.array_file import (
    CheckpointError,
    as_array,
    one_line,
    read_arrays,
    write_arrays,
)
from ebm_mpc_ros.learning.contract import Contract

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from ebm_mpc_ros.models import Model

__all__ = ["Checkpoint", "CheckpointError", "load", "options_of", "save"]

_ENTRY = "ebm_mpc_ros"


class Checkpoint(NamedTuple):
    """A trained network: where it was read from, its contract and its weights."""

    path: Path
    contract: Contract
    arrays: dict[str, NDArray[Any]]

    def require(self, **expected: object) -> None:
        """Check that fields of the contract are what their user needs.

        Args:
            **expected: Values by the field's name, such as kind="policy", model="diff_drive".

        Raises:
            CheckpointError: One differs.
        """
        for name, value in expected.items():
            self._compare(name, getattr(self.contract, name), value)

    def require_options(self, model: Model) -> None:
        """Check that the robot's numbers, such as its wheelbase, are those it was trained for.

        Raises:
            CheckpointError: One differs, or is not said.
        """
        trained = self.contract.details.get("options", {})
        for name, value in options_of(model).items():
            found = trained.get(name) if isinstance(trained, Mapping) else None
            self._compare(name, found, value)

    def _compare(self, name: str, found: object, value: object) -> None:
        if found != value:
            raise CheckpointError(
                f"{self.path}: trained for {name} {_shown(found)}, but {name} is "
                f"{_shown(value)} here"
            )


def options_of(model: Model) -> dict[str, float]:
    """Return the numbers that a model was made with, by name."""
    return {name: getattr(model, name) for name in model.option_names}


def save(path: Path, weights: Any, contract: Contract) -> None:
    """Write a checkpoint, in place of one of that name.

    Args:
        path: The file, NAME.safetensors.
        weights: A torch module, or arrays by name.
        contract: What the weights are for.

    Raises:
        CheckpointError: A weight is not finite or no float32, or the file can't be written.
    """
    given = weights if isinstance(weights, Mapping) else weights.state_dict()
    arrays = {name: as_array(value) for name, value in given.items()}
    _check_weights(f"{path}: not written", arrays)
    write_arrays(path, arrays, _ENTRY, contract.to_json())


def load(path: Path) -> Checkpoint:
    """Read a checkpoint.

    Raises:
        CheckpointError: It is missing, truncated, corrupted, foreign or of another version, or a
            weight is not finite.
    """
    arrays, text = read_arrays(path, _ENTRY, "checkpoint")
    try:
        contract = Contract.from_json(text)
    except (ValueError, TypeError, RecursionError) as error:
        raise CheckpointError(f"{path}: {one_line(error)}") from error
    _check_weights(str(path), arrays)
    return Checkpoint(path, contract, arrays)


def _check_weights(what: str, arrays: Mapping[str, NDArray[Any]]) -> None:
    for name, array in arrays.items():
        if array.dtype != np.float32:
            raise CheckpointError(f"{what}: weight {name} is {array.dtype}, must be float32")
        if not np.isfinite(array).all():
            raise CheckpointError(f"{what}: weight {name} is not finite")


def _shown(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)
