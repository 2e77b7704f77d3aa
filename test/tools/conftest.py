"""What the tests of the tools share."""

import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from rosbags.highlevel import AnyReader
from rosbags.rosbag1 import Writer as Ros1Writer

HERE = Path(__file__).resolve()
sys.path += [str(HERE.parent), *(str(HERE.parents[1] / room) for room in ("ros", "learning"))]

from replaying import CONFIG, HUSKY, SECOND, refused, replay  # noqa: E402

from ebm_mpc_ros.__main__ import main  # noqa: E402


@pytest.fixture
def here(capfd):
    """Like `tool`, but in this process, which is faster."""

    def here(*arguments):
        code = main([str(argument) for argument in arguments])
        said = capfd.readouterr()
        return subprocess.CompletedProcess(arguments, code, said.out, said.err)

    return here


@pytest.fixture
def mistaken(here):
    """Replay, and return what is said of the mistake."""

    def mistaken(*arguments, **changes):
        return refused(replay(*arguments, run=here, **changes))

    return mistaken


@pytest.fixture(scope="module")
def short(tmp_path_factory):
    """The first five seconds of the Husky's bag."""
    path = tmp_path_factory.mktemp("bags") / "short.bag"
    with AnyReader([HUSKY]) as reader, Ros1Writer(path) as writer:
        connections = {
            c.id: writer.add_connection(c.topic, c.msgtype, typestore=reader.typestore)
            for c in reader.connections
        }
        stop = reader.start_time + 5 * SECOND
        for connection, time, raw in reader.messages(stop=stop):
            writer.write(connections[connection.id], time, raw)
    return path


@pytest.fixture
def configured(tmp_path):
    """Write husky.yaml with changes and return its path; None takes a parameter out."""

    def configured(node="/**/ekf_node", **changes):
        given = yaml.safe_load(CONFIG.read_text())["/**/ekf_node"]["ros__parameters"] | changes
        given = {name: value for name, value in given.items() if value is not None}
        path = tmp_path / "changed.yaml"
        path.write_text(yaml.safe_dump({node: {"ros__parameters": given}}))
        return path

    return configured
