"""Commands in the documents: run, or marked with why not; and what they name is there."""

import argparse
import importlib
import itertools
import os
import re
import runpy
import shlex
import shutil
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

import pytest
import yaml

from ebm_mpc_ros.ros.estimator_parameters import estimator_parameters
from ebm_mpc_ros.ros.mpc_parameters import MPC_PARAMETERS
from ebm_mpc_ros.ros.policy_parameters import POLICY_PARAMETERS

ROOT = Path(__file__).resolve().parents[1]
documents = SimpleNamespace(**runpy.run_path(str(ROOT / "docs" / "commands.py")))
BLOCKS = [block for page in documents.PAGES for block in documents.blocks(page)]
IN_TESTS = [block for block in BLOCKS if block.mark == "test"]
PARAMETERS = {
    "ekf_node": {row.name: row for row in estimator_parameters(())},
    "mpc_node": {row.name: row for row in MPC_PARAMETERS},
    "policy_node": {row.name: row for row in POLICY_PARAMETERS},
}
TRANSITIONS = ("configure", "cleanup", "activate", "deactivate", "shutdown")
ASSIGNMENT = re.compile(r"[A-Z_]+=")
FENCED = re.compile(r"^```(\w*)\n(.*?)^```$", flags=re.DOTALL | re.MULTILINE)
PYTHONS = (".venv/bin/python", "src/ebm_mpc_ros/.venv/bin/python", "python", "python3")
NEED_ROS = ("ros2", "rosdep", "source", "sudo", ".venv/bin/torchrun")
# Not ours to check.
OTHERS = ("cd", "cp", "export", "git", *NEED_ROS[1:])


def commands(text):
    """Return the commands of a shell text, as lists of words, without comments."""
    found, line = [], ""
    for part in text.replace("\\\n", " ").splitlines():
        line += part
        lexer = shlex.shlex(line, posix=True, punctuation_chars=";&|")
        lexer.whitespace_split, lexer.commenters = True, "#"
        try:
            words = list(lexer)
        except ValueError:  # a quotation that goes on
            line += "\n"
            continue
        found.append([])
        for word in words:
            if set(word) <= set(";&|"):
                found.append([])
            else:
                found[-1].append(word)
        line = ""
    return [words for words in found if words]


def prose(page):
    """Return a page without its fenced blocks."""
    return FENCED.sub("", page.read_text(encoding="utf-8"))


def inline(page):
    """Return the commands that stand within a page's sentences."""
    for span in re.findall(r"`([^`\n]+)`", prose(page)):
        first, *rest = span.split()
        if rest and first in ("ros2", "make", *PYTHONS):
            yield span


@pytest.fixture(scope="module")
def launch_arguments():
    """Return the arguments of each launch file, asked of it where launch isn't installed, too."""
    modules = ("", ".actions", ".event_handlers", ".events", ".launch_description_sources")
    names = [f"launch{name}" for name in (*modules, ".logging", ".substitutions")]
    names += [f"launch_ros{name}" for name in ("", ".actions", ".utilities")]
    stubs = {name: mock.MagicMock() for name in names}
    declare = stubs["launch.actions"].DeclareLaunchArgument
    found = {}
    importlib.import_module("ebm_mpc_ros.simulation.gazebo")
    with mock.patch.dict(sys.modules):
        for name in [name for name in sys.modules if name.startswith("ebm_mpc_ros.tools")]:
            del sys.modules[name]
        sys.modules.update(stubs)
        for file in (ROOT / "launch").glob("*.launch.py"):
            declare.reset_mock()
            runpy.run_path(str(file))["generate_launch_description"]()
            found[file.name] = {call.args[0] for call in declare.call_args_list}
    return found


def check(words, launch_arguments):
    """Fail where a command names something that isn't there."""
    first, *rest = itertools.dropwhile(ASSIGNMENT.match, words)
    if first in PYTHONS:
        check_python(rest)
    elif first == "make":
        check_make(rest)
    elif first == "ros2":
        check_ros2(rest, launch_arguments)
    else:
        assert first in OTHERS, words


def check_python(words):
    if words[:2] == ["-m", "ebm_mpc_ros"]:
        check_tool(words[2:])
    elif "/" in words[0]:  # one without is made by the page
        script = ROOT / words[0]
        told = script.read_text() + (ROOT / "bench" / "report.py").read_text()
        for word in words[1:]:
            assert not word.startswith("--") or f'"{word}"' in told, words


def check_tool(words):
    name, *arguments = words
    tool = importlib.import_module(f"ebm_mpc_ros.tools.{name}")
    parser = argparse.ArgumentParser()
    tool.add_arguments(parser)
    if "--help" not in arguments:
        parser.parse_args(arguments)


def check_make(words):
    targets = set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))
    given = dict(word.split("=", 1) for word in words if "=" in word)
    rest = [word for word in words if "=" not in word]
    if rest[:1] == ["-C"]:
        del rest[:2]
    assert rest, words
    assert set(rest) <= targets, words
    if rest == ["demo"]:
        check_tool(["demo", *shlex.split(given.get("ARGS", ""))])


def check_ros2(words, launch_arguments):
    kind, *rest = words
    if not rest:  # the command as such
        return
    if kind == "launch":
        check_launch(*rest, launch_arguments=launch_arguments)
    else:
        assert kind in ROS2, words
        ROS2[kind](*rest)


def check_launch(package, name, *rest, launch_arguments):
    assert package == "ebm_mpc_ros"
    given = {word.partition(":=")[0] for word in rest if not word.startswith("-")}
    assert given <= launch_arguments[name], (name, given - launch_arguments[name])


def check_run(package, name, *_):
    assert package == "ebm_mpc_ros"
    assert (ROOT / "ebm_mpc_ros" / "nodes" / f"{name.removesuffix('_node')}.py").exists(), name


def check_param(verb, node=None, name=None, value=None):
    rows = PARAMETERS[node.rsplit("/", maxsplit=1)[-1]] if node else {}
    assert name is None or name in rows, name
    if verb == "set" and name:
        assert rows[name].live, name
        rows[name].check(yaml.safe_load(value))


def check_lifecycle(verb, node, *transition):
    assert node.rsplit("/", maxsplit=1)[-1] in PARAMETERS, node
    allowed = [(name,) for name in TRANSITIONS] if verb == "set" else [()]
    assert transition in allowed, transition


def check_service(_, path, *__):
    _, node, service = path.rsplit("/", maxsplit=2)
    assert node in PARAMETERS, path
    assert in_sources(f'"~/{service}"'), path


def check_topics(verb, *rest):
    topics = [word for word in rest if word.startswith("/")]
    assert topics or verb in ("play", "record"), rest
    for topic in topics:
        assert names_topic(topic), topic


ROS2 = {
    "run": check_run,
    "param": check_param,
    "lifecycle": check_lifecycle,
    "service": check_service,
    "topic": check_topics,
    "bag": check_topics,
}


def names_topic(topic):
    """Return whether a node has that topic, in any namespace."""
    parts = topic.strip("/").split("/")
    return any(in_sources(f'"{"/".join(parts[k:])}"') for k in range(len(parts)))


def in_sources(text):
    return any(text in file.read_text() for file in (ROOT / "ebm_mpc_ros").glob("*/*.py"))


@pytest.mark.parametrize(
    "line",
    [
        "ros2 lifecycle set /mpc_node start",
        "ros2 lifecycle get /mpc_nod",
        "ros2 topic echo /odometry/filterd",
        "ros2 bag record /robot1/cmd_vel /tff",
        "ros2 action list",
    ],
)
def test_a_command_that_names_what_is_not_there_fails(line, launch_arguments):
    right = "ros2 lifecycle set /robot1/mpc_node configure; ros2 bag record -o my /robot1/cmd_vel"
    for words in commands(right):
        check(words, launch_arguments)
    with pytest.raises(AssertionError):
        check(line.split(), launch_arguments)


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block.place)
def test_what_a_block_names_is_there(block, launch_arguments):
    for words in commands(block.text):
        check(words, launch_arguments)


@pytest.mark.parametrize("page", documents.PAGES, ids=lambda page: page.name)
def test_what_a_sentence_names_is_there(page, launch_arguments):
    for text in inline(page):
        if "…" not in text:
            for words in commands(text):
                check(words, launch_arguments)


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block.place)
def test_a_block_is_run_or_says_why_not(block):
    assert not block.mark or block.mark == "test" or block.reason or block.seconds, block.mark
    needs_ros = [
        words
        for words in commands(block.text)
        if next(itertools.dropwhile(ASSIGNMENT.match, words), "") in NEED_ROS
    ]
    assert block.reason or block.seconds or not needs_ros, needs_ros


@pytest.mark.parametrize("page", documents.PAGES, ids=lambda page: page.name)
def test_every_command_stands_in_a_block_that_is_found(page):
    """No indented code, no shell under another name, and no mark that nothing follows."""
    text = page.read_text(encoding="utf-8")
    starts = "|".join(map(re.escape, ("ros2", "make", ".venv/bin/torchrun", *PYTHONS)))
    assert not re.findall(rf"^ +(?:{starts}) .*$", prose(page), flags=re.MULTILINE)
    others = [(language, code) for language, code in FENCED.findall(text) if language != "sh"]
    assert {language for language, _ in others} <= {"", "math", "python", "yaml"}
    for _, code in others:
        assert not re.findall(rf"^ *(?:[$#] )?(?:{starts}) .*$", code, flags=re.MULTILINE)
    found = documents.blocks(page)
    marks = re.findall(r"^<!-- run:", text, flags=re.MULTILINE)
    assert text.count("```sh\n") == len(found)
    assert len(marks) == sum(bool(block.mark) for block in found)


@pytest.fixture
def origin(tmp_path, monkeypatch):
    """A function that makes a repository of a page, and runs the page's commands."""
    folder = tmp_path / "origin"
    folder.mkdir()

    def run(text):
        page = folder / "README.md"
        page.write_text(text)
        for words in ("init -q", "add README.md", "-c user.name=a -c user.email=a@b commit -qm a"):
            subprocess.run(["git", *words.split()], cwd=folder, check=True)  # noqa: S607
        monkeypatch.setitem(documents.main.__globals__, "ROOT", folder)
        monkeypatch.setattr(sys, "argv", ["commands.py", str(page)])
        return documents.main()

    return run


@pytest.mark.skipif(shutil.which("git") is None, reason="needs git")
def test_a_page_is_run_in_a_clone_up_to_what_fails(tmp_path, origin, capfd):
    ran = tmp_path / "ran"
    code = origin(
        f"```sh\ntouch made\n```\n<!-- run: no, breaks -->\n```sh\nfalse\n```\n"
        f"```sh\nls made README.md > {ran}\nfalse | cat\necho not reached\n```\n"
        "```sh\necho nor this\n```\n"
    )
    assert code == 1
    assert ran.read_text() == "README.md\nmade\n"
    told = capfd.readouterr().out
    assert "README.md:2: ok" in told
    assert "README.md:9: FAILED with exit code 1" in told
    assert "nor this" not in told
    assert not (tmp_path / "origin" / "made").exists()


ROS2_STAND_IN = """#!/bin/bash
case $1 in ends) touch {0}/$1; exit 0;; esac
trap 'exit 0' INT
touch {0}/$1
while :; do sleep 0.05; done
"""


@pytest.mark.skipif(shutil.which("git") is None, reason="needs git")
@pytest.mark.parametrize(("second", "code"), [("stays", 0), ("ends", 1)])
def test_lines_that_need_ros_are_held_side_by_side(
    tmp_path, origin, monkeypatch, capfd, second, code
):
    stand_in, began = tmp_path / "bin" / "ros2", tmp_path / "began"
    stand_in.parent.mkdir()
    began.mkdir()
    stand_in.write_text(ROS2_STAND_IN.format(began))
    stand_in.chmod(0o755)
    monkeypatch.setenv("PATH", str(stand_in.parent), prepend=os.pathsep)

    def both_began(_):
        while len(list(began.iterdir())) < 2:
            time.sleep(0.01)

    clock = SimpleNamespace(monotonic=time.monotonic, sleep=both_began)
    monkeypatch.setitem(documents.main.__globals__, "time", clock)
    text = f"<!-- run: ros 30 s -->\n```sh\nros2 first   # a comment\nros2 {second}\n```\n"
    assert origin(text) == code
    assert ("FAILED" in capfd.readouterr().out) is bool(code)


@pytest.mark.skipif(shutil.which("git") is None, reason="needs git")
def test_without_ros_such_a_block_is_skipped_by_name(origin, monkeypatch, capfd):
    monkeypatch.setattr(shutil, "which", lambda _: None)
    assert origin("<!-- run: ros 30 s -->\n```sh\nros2 launch a b\n```\n") == 0
    assert "README.md:3: skipped, there is no ros2 here" in capfd.readouterr().out


def test_the_tests_run_some_of_them():
    assert IN_TESTS


@pytest.mark.timeout(180)
@pytest.mark.parametrize("block", IN_TESTS, ids=lambda block: block.place)
def test_a_block_that_is_marked_so_runs(block, tmp_path):
    for entry in ROOT.iterdir():
        if entry.name not in ("out", ".venv", ".git"):
            (tmp_path / entry.name).symlink_to(entry)
    text = block.text.replace(".venv/bin/python", shlex.quote(sys.executable))
    done = subprocess.run(
        documents.shell(text),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": f"{ROOT}:{os.environ.get('PYTHONPATH', '')}"},
    )
    assert done.returncode == 0, done.stderr
    assert any((tmp_path / "out").rglob("*.html"))
