"""Checkpoints: written whole, read back to the bit, and refused in one line where they are none."""

import json
import pickle
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.numpy import save as save_arrays

from ebm_mpc_ros.errors import UserError
from ebm_mpc_ros.learning import array_file as module
from ebm_mpc_ros.learning.architecture import build, restored
from ebm_mpc_ros.learning.array_file import write_arrays
from ebm_mpc_ros.learning.checkpoint import CheckpointError, load, save
from ebm_mpc_ros.learning.contract import Contract
from ebm_mpc_ros.learning.normaliser import Scaling
from ebm_mpc_ros.models import load_model

POLICY = Contract(
    kind="policy",
    architecture={"name": "wells", "wells": 3, "hidden": 5, "weights": 4},
    model="diff_drive",
    state_names=("x", "y", "yaw", "vx", "vyaw"),
    input_names=("ax", "alpha"),
    condition_names=("vx", "vyaw"),
    units={"vx": "m/s"},
    dt=0.1,
    horizon=4,
    condition_scaling=Scaling(mean=(0.1, 0.2), deviation=(1.0, 0.3)),
    variable_scaling=Scaling(mean=(0.0, 0.0), deviation=(0.5, 2.0)),
    sigmas=(0.01, 6.0),
    data_digest="abc",
    details={"sight": {"nearest": 1}},
)
TRANSITION = replace(
    POLICY,
    kind="transition",
    architecture={"name": "mlp", "hidden": 4},
    horizon=1,
    variable_scaling=Scaling.identity(5),
    sigmas=(0.1,),
)
ONE = {"mean": [0.0], "deviation": [1.0]}
ARRAYS = {"a": np.arange(6, dtype=np.float32).reshape(2, 3), "b": np.ones(1, np.float32)}


@pytest.fixture
def written(tmp_path):
    path = tmp_path / "checkpoint.safetensors"
    save(path, ARRAYS, POLICY)
    return path


def refused(path):
    with pytest.raises(CheckpointError) as caught:
        load(path)
    said = str(caught.value)
    assert said.startswith(f"{path}: ")
    assert "\n" not in said
    assert isinstance(caught.value, UserError)
    return said


def test_what_is_written_is_read_back(written):
    found = load(written)
    assert found.contract == POLICY
    assert found.path == written
    assert found.arrays.keys() == ARRAYS.keys()
    for name, array in ARRAYS.items():
        np.testing.assert_array_equal(found.arrays[name], array)
    assert [file.name for file in written.parent.iterdir()] == [written.name]


@pytest.mark.parametrize("contract", [POLICY, TRANSITION], ids=["policy", "transition"])
def test_a_network_comes_back_with_its_weights(tmp_path, contract):
    torch.manual_seed(1)
    network = build(contract)
    save(tmp_path / "c", network, contract)
    again = restored(load(tmp_path / "c"))
    y, c = torch.randn(3, network.variables), torch.randn(3, 2)
    sigma = (torch.full((3,), 0.5),) if contract.kind == "policy" else ()
    torch.testing.assert_close(again.score(y, c, *sigma), network.score(y, c, *sigma))


def test_weights_of_another_network_are_refused(tmp_path):
    save(tmp_path / "c", ARRAYS, POLICY)
    with pytest.raises(CheckpointError, match="not the network it says") as caught:
        restored(load(tmp_path / "c"))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "architecture",
    [
        {"name": "other"},
        {},
        {"name": "wells", "hidden": "x"},
        {"name": "mlp"},
        POLICY.architecture | {"hidden": 0, "balanced": True},
        POLICY.architecture | {"hidden": -1},
        POLICY.architecture | {"hidden": 5.0},
        POLICY.architecture | {"hidden": True},
        POLICY.architecture | {"hidden": 1_000_000},
        POLICY.architecture | {"hidden": 10**30},
        POLICY.architecture | {"wells": 0},
        POLICY.architecture | {"weights": 2},
        POLICY.architecture | {"balanced": 1},
    ],
)
def test_an_unknown_network_is_refused(tmp_path, architecture):
    save(tmp_path / "c", build(POLICY), replace(POLICY, architecture=architecture))
    with pytest.raises(CheckpointError, match="not the network it says"):
        restored(load(tmp_path / "c"))


def test_a_policy_without_a_range_of_noise_is_refused(tmp_path):
    save(tmp_path / "c", build(POLICY), replace(POLICY, sigmas=(0.1,)))
    with pytest.raises(CheckpointError, match=r"sigmas are .*, must be the least and the largest"):
        restored(load(tmp_path / "c"))


def test_a_checkpoint_truncated_anywhere_is_refused(written):
    whole = written.read_bytes()
    for length in range(0, len(whole), 7):
        written.write_bytes(whole[:length])
        refused(written)


def test_a_byte_changed_anywhere_is_noticed(written):
    whole = written.read_bytes()
    for place in range(len(whole)):
        for bit in (0, 7):
            changed = bytearray(whole)
            changed[place] ^= 1 << bit
            written.write_bytes(changed)
            refused(written)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x00" * 8,
        b"\xff" * 64,
        b"PK\x03\x04" * 40,
        pickle.dumps({"a": 1}),
        (2).to_bytes(8, "little") + b"[]",
        (2).to_bytes(8, "little") + b"{}",
    ],
)
def test_a_foreign_file_is_refused(tmp_path, content):
    path = tmp_path / "c"
    path.write_bytes(content)
    refused(path)


def test_somebody_elses_safetensors_are_refused(tmp_path):
    path = tmp_path / "c"
    for metadata in (None, {"format": "pt"}):
        path.write_bytes(save_arrays(ARRAYS, metadata=metadata))
        assert "no checkpoint of ebm_mpc_ros" in refused(path)


@pytest.mark.parametrize("metadata", [[1], None, "x", 3, {"ebm_mpc_ros": 3}])
def test_a_file_with_metadata_of_another_type_is_refused(tmp_path, metadata):
    header = {"__metadata__": metadata, "a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}
    text = json.dumps(header).encode()
    path = tmp_path / "c"
    path.write_bytes(len(text).to_bytes(8, "little") + text + bytes(4))
    assert "no checkpoint of ebm_mpc_ros" in refused(path) or "no safetensors file" in refused(path)


@pytest.mark.parametrize(
    ("array", "words"),
    [
        (np.array([1.0, np.nan], np.float32), "weight a is not finite"),
        (np.array([np.inf], np.float32), "weight a is not finite"),
        (np.array([1e300]), "weight a is float64, must be float32"),
        (np.array([1]), "weight a is int64, must be float32"),
    ],
)
def test_weights_that_are_not_finite_numbers_are_not_read(tmp_path, array, words):
    path = tmp_path / "c"
    write_arrays(path, {"a": array}, "ebm_mpc_ros", POLICY.to_json())
    assert words in refused(path)


def rewritten(path, **changes):
    """Write a checkpoint with fields of its contract changed; None takes one out."""
    values = json.loads(POLICY.to_json()) | changes
    text = json.dumps({name: value for name, value in values.items() if value is not None})
    write_arrays(path, ARRAYS, "ebm_mpc_ros", text)
    return path


def test_another_version_of_the_format_is_refused(tmp_path):
    said = refused(rewritten(tmp_path / "c", format_version=2))
    assert "it has format version 2" in said
    assert "reads version 1" in said


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"kind": "both"}, "kind is 'both', must be policy or transition"),
        ({"dt": 0}, "dt is 0"),
        ({"dt": "fast"}, "dt is fast"),
        ({"horizon": 0}, "horizon is 0"),
        ({"horizon": True}, "horizon is True"),
        ({"model": 3}, "model must be text"),
        ({"input_names": "ax"}, "input_names must be a list of texts"),
        ({"condition_names": ["vx"]}, "differ in length"),
        ({"condition_scaling": {"mean": [0, 0], "deviation": [1, 0]}}, "not above 0"),
        ({"variable_scaling": {"mean": [0]}}, "variable_scaling"),
        ({"variable_scaling": 1}, "variable_scaling"),
        ({"variable_scaling": ONE}, "variable_scaling and input_names differ in length"),
        ({"sigmas": [float("nan")]}, "sigmas"),
        ({"architecture": []}, "architecture must map"),
        ({"units": None}, "lacks units"),
        ({"more": 1}, "strange more"),
    ],
)
def test_a_contract_with_a_wrong_field_is_refused(tmp_path, changes, words):
    assert words in refused(rewritten(tmp_path / "c", **changes))


def test_a_missing_checkpoint_is_named(tmp_path):
    assert "No such file" in refused(tmp_path / "none")
    assert refused(tmp_path)


def test_one_trained_for_another_model_is_told_in_words(written):
    found = load(written)
    found.require(kind="policy", model="diff_drive", dt=0.1, input_names=("ax", "alpha"))
    with pytest.raises(CheckpointError, match="trained for model diff_drive, but model is omni"):
        found.require(kind="policy", model="omni")
    with pytest.raises(CheckpointError, match="trained for input_names ax, alpha, but"):
        found.require(input_names=("ax",))


def test_one_trained_for_another_wheelbase_is_told_in_words(tmp_path):
    car = load_model("ackermann", {"wheelbase": 0.3})
    path = tmp_path / "c"
    for trained, words in (({"wheelbase": 0.5}, "0.5"), ({}, "None"), ([0.3], "None")):
        save(path, ARRAYS, replace(POLICY, details={"options": trained}))
        load(path).require_options(load_model("diff_drive"))
        said = f"trained for wheelbase {words}, but wheelbase is 0.3 here"
        with pytest.raises(CheckpointError, match=said):
            load(path).require_options(car)
    save(path, ARRAYS, replace(POLICY, details={"options": {"wheelbase": 0.3}}))
    load(path).require_options(car)


def test_weights_that_are_not_finite_are_not_written(written):
    before = written.read_bytes()
    with pytest.raises(CheckpointError, match="weight a is not finite"):
        save(written, {"a": np.array([np.nan], np.float32)}, POLICY)
    assert written.read_bytes() == before


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_a_write_that_fails_leaves_the_former_file_and_nothing_else(written, monkeypatch, error):
    def fail(_):
        raise error

    before = written.read_bytes()
    monkeypatch.setattr(module.os, "fsync", fail)
    with pytest.raises((CheckpointError, KeyboardInterrupt)):
        save(written, {"a": np.zeros(3, np.float32)}, POLICY)
    assert written.read_bytes() == before
    assert [file.name for file in written.parent.iterdir()] == [written.name]


def test_a_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(CheckpointError, match="No such file"):
        save(tmp_path / "none" / "c", ARRAYS, POLICY)


def test_the_same_checkpoint_is_the_same_bytes(tmp_path):
    for name in ("one", "two"):
        save(tmp_path / name, ARRAYS, POLICY)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
