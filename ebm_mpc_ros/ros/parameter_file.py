"""ROS 2 parameter YAMLs, read as rcl reads them, without rcl."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import yaml

from ebm_mpc_ros.errors import UserError

if TYPE_CHECKING:
    from pathlib import Path


class _Loader(yaml.SafeLoader):
    """YAML with rcl's idea of a number: 1e-9 is one."""


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"[-+]?([0-9]+(\.[0-9]*)?|\.[0-9]+)[eE][-+]?[0-9]+$"),
    list("-+.0123456789"),
)


class ParameterFileError(UserError):
    """A parameter file can't be read, or has nothing for the node."""


class NoParametersError(ParameterFileError):
    """No file has anything for the node."""


def load_parameters(path: Path, node_name: str) -> dict[str, Any]:
    """Return the parameters that the file at `path` gives to the node /`node_name`.

    Raises:
        ParameterFileError: The file is missing, is no parameter YAML, or has no such node.
    """
    return load_layers((path,), node_name)


def load_layers(paths: Sequence[Path], node_name: str) -> dict[str, Any]:
    """Return the parameters that several files give to the node /`node_name`; the last one wins.

    Keys match as in rcl: a name, a namespace of names, and the wildcards * and **; later keys
    win. Nested parameters come back with dotted names.

    Raises:
        NoParametersError: No file has such a node.
        ParameterFileError: A file is missing or is no parameter YAML.
    """
    wanted = "/" + node_name.lstrip("/")
    found: dict[str, Any] = {}
    names: list[str] = []
    matched = False
    for path in paths:
        for key, parameters in _sections("", _parse(path), path):
            names.append(key)
            if _matches(key, wanted):
                matched = True
                found.update(_flat("", parameters))
    if not matched:
        raise NoParametersError(
            f"{', '.join(map(str, paths))}: no parameters for node {node_name!r}; "
            f"it has {', '.join(names) or 'none'}"
        )
    return found


def check_speaks_of(path: Path, node_names: Iterable[str]) -> None:
    """Check that the file at `path` gives parameters to one of the nodes at least.

    Raises:
        ParameterFileError: The file is missing, is no parameter YAML, or speaks of none of them.
    """
    complaints = []
    for node_name in node_names:
        try:
            load_parameters(path, node_name)
        except ParameterFileError as error:
            complaints.append(error)
        else:
            return
    raise complaints[0]


def _parse(path: Path) -> Mapping[str, Any]:
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), Loader=_Loader)  # noqa: S506
    except OSError as error:
        raise ParameterFileError(f"{path}: {error.strerror or error}") from error
    except (yaml.YAMLError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise ParameterFileError(f"{path}: not YAML: {reason}") from error
    if not isinstance(content, Mapping):
        raise ParameterFileError(f"{path}: must map node names to ros__parameters")
    return content


def _sections(
    prefix: str, content: Mapping[str, Any], path: Path
) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for key, value in content.items():
        if not isinstance(value, Mapping):
            what = "parameters" if key == "ros__parameters" else "ros__parameters"
            raise ParameterFileError(f"{path}: {key!r} must hold {what}")
        if key == "ros__parameters":
            yield prefix or "/", value
        else:
            yield from _sections(f"{prefix}/{str(key).strip('/')}", value, path)


def _matches(key: str, wanted: str) -> bool:
    pattern = re.escape(key).replace(r"/\*\*", "(/[^/]+)*").replace(r"\*", "[^/]+")
    return re.fullmatch(pattern, wanted) is not None


def _flat(prefix: str, values: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(f"{prefix}{key}.", value)
        else:
            yield f"{prefix}{key}", value
