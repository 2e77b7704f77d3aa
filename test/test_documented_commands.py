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
ASSIGNMENT = re.compile(r"[A-Z_]+=")
FENCED = re.compile(r"^```.*?^```$", flags=re.DOTALL | re.MULTILINE)
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
    if kind in ("launch", "run"):
        package, name, *rest = rest
        assert package == "ebm_mpc_ros", words
    if kind == "launch":
        given = {word.partition(":=")[0] for word in rest if not word.startswith("-")}
        assert given <= launch_arguments[name], (words, given - launch_arguments[name])
    elif kind == "run":
        assert (ROOT / "ebm_mpc_ros" / "nodes" / f"{name.removesuffix('_node')}.py").exists(), words
    elif kind == "param" and len(rest) > 1:
        verb, node, *rest = rest
        table = PARAMETERS[node.rsplit("/", maxsplit=1)[-1]]
        if rest:
            assert rest[0] in table, words
        if verb == "set" and rest:
            assert table[rest[0]].live, words
            table[rest[0]].check(yaml.safe_load(rest[1]))
    elif kind == "service":
        _, node, service = rest[1].rsplit("/", maxsplit=2)
        assert node in PARAMETERS, words
        sources = (ROOT / "ebm_mpc_ros").glob("*/*.py")
        assert any(f'"~/{service}"' in file.read_text() for file in sources), words


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
    assert not block.mark or block.mark == "test" or block.reason, block.mark
    needs_ros = [words for words in commands(block.text) if words[0] in NEED_ROS]
    assert block.reason or not needs_ros, needs_ros


@pytest.mark.parametrize("page", documents.PAGES, ids=lambda page: page.name)
def test_every_command_stands_in_a_block_that_is_found(page):
    """No indented code, and no mark that nothing follows."""
    text = page.read_text(encoding="utf-8")
    starts = "|".join(map(re.escape, ("ros2", "make", ".venv/bin/torchrun", *PYTHONS)))
    assert not re.findall(rf"^ +(?:{starts}) .*$", prose(page), flags=re.MULTILINE)
    found = documents.blocks(page)
    marks = re.findall(r"^<!-- run:", text, flags=re.MULTILINE)
    assert text.count("```sh\n") == len(found)
    assert len(marks) == sum(bool(block.mark) for block in found)


@pytest.mark.skipif(shutil.which("git") is None, reason="needs git")
def test_a_page_is_run_in_a_clone_up_to_what_fails(tmp_path, monkeypatch, capfd):
    origin, ran = tmp_path / "origin", tmp_path / "ran"
    origin.mkdir()
    page = origin / "README.md"
    page.write_text(
        f"```sh\ntouch made\n```\n<!-- run: no, breaks -->\n```sh\nfalse\n```\n"
        f"```sh\nls made README.md > {ran}\nfalse\necho not reached\n```\n"
        "```sh\necho nor this\n```\n"
    )
    for words in ("init -q", "add README.md", "-c user.name=a -c user.email=a@b commit -qm a"):
        subprocess.run(["git", *words.split()], cwd=origin, check=True)  # noqa: S607
    monkeypatch.setitem(documents.main.__globals__, "ROOT", origin)
    monkeypatch.setattr(sys, "argv", ["commands.py", str(page)])
    assert documents.main() == 1
    assert ran.read_text() == "README.md\nmade\n"
    told = capfd.readouterr().out
    assert "README.md:2: ok" in told
    assert "README.md:9: FAILED with exit code 1" in told
    assert "nor this" not in told
    assert not (origin / "made").exists()


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
        ["/bin/sh", "-ec", text],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": f"{ROOT}:{os.environ.get('PYTHONPATH', '')}"},
    )
    assert done.returncode == 0, done.stderr
    assert any((tmp_path / "out").rglob("*.html"))
