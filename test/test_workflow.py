"""GitHub's workflow: what can be known of it without running it."""

import re
import shlex
from pathlib import Path

import yaml
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[1]
WORKFLOW = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text())
STEPS = {name: job["steps"] for name, job in WORKFLOW["jobs"].items()}


def settings():
    (step,) = (step for step in STEPS["jazzy"] if "industrial_ci" in step.get("uses", ""))
    return step["env"]


def test_it_runs_on_every_push_to_main_and_every_pull_request():
    events = WORKFLOW[True]  # YAML 1.1 reads the key `on` so.
    assert events["push"] == {"branches": ["main"]}
    assert "pull_request" in events
    assert set(STEPS) == {"wheels", "jazzy"}


def test_actions_are_pinned_to_commits():
    used = [step["uses"] for steps in STEPS.values() for step in steps if "uses" in step]
    assert len(used) == 3
    for action in used:
        assert re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40}", action), action


def test_no_job_runs_without_end_or_may_write():
    assert all(job["timeout-minutes"] <= 90 for job in WORKFLOW["jobs"].values())
    assert WORKFLOW["permissions"] == {"contents": "read"}


def test_scripts_that_are_run_are_there_and_executable():
    for step in STEPS["wheels"]:
        if "run" in step:
            script = ROOT / shlex.split(step["run"])[0]
            assert script.stat().st_mode & 0o111


def test_jazzy_gets_what_rosdep_has_no_key_for():
    given = settings()
    assert given["ROS_DISTRO"] == "jazzy"
    hook = given["AFTER_INSTALL_TARGET_DEPENDENCIES"]
    (pattern,) = re.findall(r"grep -hoE '(.+?)'", hook)
    pins = "".join(file.read_text() for file in ROOT.glob("requirements/*.txt"))
    found = re.finditer(pattern, pins, flags=re.MULTILINE)
    names = {Requirement(pin.group()).name for pin in found}
    assert names == {"osqp", "array-api-compat", "safetensors", "torch"}
    for file in re.findall(r"-r (requirements/\S+)", hook):
        assert (ROOT / file).is_file()
    manifest = (ROOT / "package.xml").read_text()
    for key in given["ROSDEP_SKIP_KEYS"].split():
        assert f"<exec_depend>{key}</exec_depend>" in manifest
