"""Named arrays and a text in one safetensors file: written whole, checked by a digest, no torch."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import struct
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load as load_arrays
from safetensors.numpy import save as save_arrays

from ebm_mpc_ros.errors import UserError

Arrays = Mapping[str, NDArray[Any]]

_LENGTH = struct.Struct("<Q")


class CheckpointError(UserError):
    """A checkpoint can't be read or written, or is not for this robot."""


def write_arrays(path: Path, arrays: Mapping[str, Any], entry: str, text: str) -> None:
    """Write arrays or tensors with a text about them, in place of a file of that name.

    Args:
        path: The file.
        arrays: By name.
        entry: The one entry of its metadata, by which it is known again.
        text: What goes there, behind its and the arrays' digest.

    Raises:
        CheckpointError: It can't be written.
    """
    content = {name: as_array(value) for name, value in arrays.items()}
    # One entry, for safetensors writes several in any order.
    metadata = {entry: f"{digest(content, text)} {text}"}
    write_whole(path, save_arrays(content, metadata=metadata))


def read_arrays(path: Path, entry: str, what: str) -> tuple[dict[str, NDArray[Any]], str]:
    """Return the arrays and the text that `write_arrays` wrote under that entry.

    Args:
        path: The file.
        entry: The entry of its metadata.
        what: What it should be, for the sentences.

    Raises:
        CheckpointError: It is missing, truncated, corrupted or foreign.
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
            f"{path}: truncated, corrupted or no safetensors file: {one_line(error)}"
        ) from error
    if entry not in metadata:
        raise CheckpointError(f"{path}: a safetensors file, but no {what} of ebm_mpc_ros")
    told, _, text = metadata[entry].partition(" ")
    if told != digest(arrays, text):
        raise CheckpointError(f"{path}: corrupted: its content does not match its digest")
    return arrays, text


def write_whole(path: Path, content: bytes) -> None:
    """Write a file under a temporary name, then give it its own.

    Raises:
        CheckpointError: It can't be written.
    """
    try:
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=unfinished(path))
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


def unfinished(path: Path) -> str:
    """Return how the names of files begin that `write_whole` was killed over."""
    return f".{path.name}-"


def as_array(value: Any) -> NDArray[Any]:
    """Return a tensor or an array as a contiguous array of this machine's memory."""
    return np.ascontiguousarray(value.detach().cpu().numpy() if hasattr(value, "cpu") else value)


def digest(arrays: Arrays, text: str) -> str:
    """Return the SHA-256 of arrays and a text."""
    total = hashlib.sha256(text.encode())
    for name in sorted(arrays):
        array = arrays[name]
        total.update(f"{name} {array.dtype.str} {array.shape} ".encode())
        total.update(array.tobytes())
    return total.hexdigest()


def one_line(error: Exception) -> str:
    """Return what an error says without line breaks."""
    return " ".join(str(error).split()) or type(error).__name__


def _metadata(content: bytes) -> dict[str, str]:
    """Return the metadata in the header of a safetensors file, which says its length first."""
    (length,) = _LENGTH.unpack_from(content.ljust(_LENGTH.size, b"\0"))
    header = json.loads(content[_LENGTH.size : _LENGTH.size + length])
    found = header.get("__metadata__") if isinstance(header, dict) else None
    if not isinstance(found, dict):
        return {}
    return {str(key): str(value) for key, value in found.items()}
