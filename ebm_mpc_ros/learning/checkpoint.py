"""Trained networks as files: weights in safetensors, their contract in its metadata; no torch.

Nothing is unpickled. A file appears under its name complete, or not at all.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import struct
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load as load_arrays
from safetensors.numpy import save as save_arrays

from ebm_mpc_ros.errors import UserError
from ebm_mpc_ros.learning.contract import Contract

Arrays = Mapping[str, NDArray[Any]]

# Its value is the digest of the contract and the weights, a blank, and the contract: one entry,
# for safetensors writes several in any order.
_ENTRY = "ebm_mpc_ros"
_LENGTH = struct.Struct("<Q")


class CheckpointError(UserError):
    """A checkpoint can't be read or written, or is not for this robot."""


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
            found = getattr(self.contract, name)
            if found != value:
                raise CheckpointError(
                    f"{self.path}: trained for {name} {_shown(found)}, but {name} is "
                    f"{_shown(value)} here"
                )


def save(path: Path, weights: Any, contract: Contract) -> None:
    """Write a checkpoint, in place of one of that name.

    Args:
        path: The file, NAME.safetensors.
        weights: A torch module, or arrays by name.
        contract: What the weights are for.

    Raises:
        CheckpointError: A weight is not finite, or the file can't be written.
    """
    given = weights if isinstance(weights, Mapping) else weights.state_dict()
    arrays = {name: _array(value) for name, value in given.items()}
    for name, array in arrays.items():
        if not np.isfinite(array).all():
            raise CheckpointError(f"{path}: not written: weight {name} is not finite")
    text = contract.to_json()
    entry = f"{_digest(arrays, text)} {text}"
    write_whole(path, save_arrays(arrays, metadata={_ENTRY: entry}))


def load(path: Path) -> Checkpoint:
    """Read a checkpoint.

    Raises:
        CheckpointError: It is missing, truncated, corrupted, foreign or of another version.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise CheckpointError(f"{path}: {error.strerror or error}") from error
    try:
        metadata = _metadata(content)
        arrays = load_arrays(content)
    except (SafetensorError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise CheckpointError(
            f"{path}: truncated, corrupted or no safetensors file: {_one_line(error)}"
        ) from error
    if _ENTRY not in metadata:
        raise CheckpointError(f"{path}: a safetensors file, but no checkpoint of ebm_mpc_ros")
    digest, _, text = metadata[_ENTRY].partition(" ")
    try:
        contract = Contract.from_json(text)
    except (ValueError, TypeError, RecursionError) as error:
        raise CheckpointError(f"{path}: {_one_line(error)}") from error
    if digest != _digest(arrays, text):
        raise CheckpointError(f"{path}: corrupted: its content does not match its digest")
    return Checkpoint(path, contract, arrays)


def write_whole(path: Path, content: bytes) -> None:
    """Write a file under a temporary name, then give it its own.

    Raises:
        CheckpointError: It can't be written.
    """
    try:
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
        fresh = Path(name)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            fresh.chmod(0o644)
            fresh.replace(path)
        except BaseException:
            with contextlib.suppress(OSError):
                fresh.unlink()
            raise
    except OSError as error:
        raise CheckpointError(f"{path}: {error.strerror or error}") from error


def _array(value: Any) -> NDArray[Any]:
    """Return a tensor or an array as a contiguous array of this machine's memory."""
    return np.ascontiguousarray(value.detach().cpu().numpy() if hasattr(value, "cpu") else value)


def _metadata(content: bytes) -> dict[str, str]:
    """Return the metadata in the header of a safetensors file, which says its length first."""
    (length,) = _LENGTH.unpack_from(content.ljust(_LENGTH.size, b"\0"))
    header = json.loads(content[_LENGTH.size : _LENGTH.size + length])
    found = header.get("__metadata__", {}) if isinstance(header, dict) else {}
    return {str(key): str(value) for key, value in found.items()}


def _digest(arrays: Arrays, contract: str) -> str:
    total = hashlib.sha256(contract.encode())
    for name in sorted(arrays):
        array = arrays[name]
        total.update(f"{name} {array.dtype.str} {array.shape} ".encode())
        total.update(array.tobytes())
    return total.hexdigest()


def _shown(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
