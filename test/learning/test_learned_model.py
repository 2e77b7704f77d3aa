"""A checkpoint as the robot's model: torch's numbers, better than the nominal, or refused."""

import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from slipping import DT, MODEL, checkpoint, moved, trained

from ebm_mpc_ros.control import ControlProblem, RealTimeIteration
from ebm_mpc_ros.estimation.ekf import Belief, Measurement, predict, update
from ebm_mpc_ros.learning.architecture import build
from ebm_mpc_ros.learning.checkpoint import CheckpointError, load, save
from ebm_mpc_ros.learning.learned_model import learned_model
from ebm_mpc_ros.learning.normaliser import Scaling


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return checkpoint(tmp_path_factory.mktemp("learned"))


@pytest.fixture(scope="module")
def model(path):
    return learned_model(load(path))


def spread(model, count=50):
    """Return states and inputs in the data, at its edge and beyond."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(count, 5)) * [3.0, 3.0, 2.0, 0.3, 0.6] + [0.0, 0.0, 0.0, 0.6, 0.0]
    return x, rng.normal(size=(count, 2)) * [0.6, 1.2]


def test_value_slope_and_curvature_are_torchs(model):
    x, u = spread(model)
    y = np.random.default_rng(1).normal(size=x.shape)
    placed, contract = model.energy.at(x, u, DT), trained().contract
    scaled = contract.condition_scaling.normalise(np.concatenate([x[:, 3:], u], axis=1))
    network = build(contract).double()
    network.load_state_dict(trained().network.state_dict())
    support = contract.details["support"]
    factor = torch.tensor(support["factor"], dtype=torch.float64)
    c, given = torch.tensor(scaled), torch.tensor(y, requires_grad=True)
    far = torch.clamp((c @ factor).norm(dim=1) - support["reach"], min=0.0)
    square = 0.5 * given.square().sum(1)
    value = square + torch.exp(-0.5 * far**2) * (network.energy(given, c) - square)
    (slope,) = torch.autograd.grad(value.sum(), given, create_graph=True)
    rows = [torch.autograd.grad(slope[:, i].sum(), given, retain_graph=True)[0] for i in range(5)]
    theirs = value, slope, torch.stack(rows, 1)
    for ours, other in zip((placed.value(y), *placed.slope_and_curvature(y)), theirs, strict=True):
        np.testing.assert_allclose(ours, other.detach().numpy(), rtol=0, atol=1e-6)
    assert placed.trust.min() < 0.5 < placed.trust.max()


def inputs(count, seed):
    """Return inputs (count, 2) of the kind that were driven, and a start that they fit."""
    t = DT * np.arange(count) + seed
    return np.column_stack([0.5 * np.cos(2.0 * t), -1.4 * np.sin(2.5 * t)]), np.array(
        [0.0, 0.0, 0.0, 0.6 + 0.25 * np.sin(2.0 * seed), 0.56 * np.cos(2.5 * seed)]
    )


def test_a_step_is_predicted_better_than_by_the_nominal_model(model):
    u, x = inputs(300, 0.3)
    errors = []
    for one in u:
        following = moved(x, one, DT)
        errors.append([(following - robot.f(x, one, DT))[2] for robot in (MODEL, model)])
        x = following
    nominal, learned = np.sqrt(np.mean(np.square(errors), axis=0))
    assert learned < 0.3 * nominal


def test_an_estimator_on_it_knows_where_the_robot_is(model):
    u, start = inputs(300, 1.7)
    rng, density = np.random.default_rng(0), model.noise_density
    R, ends = np.diag([1e-6, 1e-6]), []
    for robot in (MODEL, model):
        truth, belief = start, Belief(start.copy(), 1e-4 * np.eye(5))
        for one in u:
            truth = moved(truth, one, DT)
            said = truth[3:] + 1e-3 * rng.normal(size=2)
            belief = predict(robot, belief, one, DT, density)
            belief = update(robot, belief, Measurement(0, "odom0", (3, 4), said, R)).belief
        ends.append(np.abs(belief.state - truth)[:3].max())
        assert np.linalg.eigvalsh(belief.covariance).min() > 0.0
    assert ends[1] < 0.3 * ends[0]


def test_a_controller_on_it_keeps_to_the_way(model):
    u, start = inputs(121, 0.0)
    reference = [start]
    for one in u:
        reference.append(moved(reference[-1], one, DT))
    reference, off = np.array(reference), []
    weights = np.array([20.0, 20.0, 2.0, 0.5, 0.1])
    for robot in (MODEL, model):
        controller = RealTimeIteration(
            ControlProblem(
                model=robot,
                dt=DT,
                horizon=20,
                state_weights=weights,
                input_weights=[1e-3, 1e-3],
                terminal_weights=5 * weights,
                input_lower=[-1.0, -2.0],
                input_upper=[1.0, 2.0],
                state_lower=[-np.inf] * 3 + [-0.2, -1.7],
                state_upper=[np.inf] * 3 + [1.15, 1.7],
            )
        )
        x = start + np.array([0.0, 0.1, 0.0, 0.0, 0.0])
        errors = []
        for k in range(100):
            controller.prepare(reference[k : k + 21])
            plan = controller.feedback(x)
            assert plan.usable
            x = moved(x, plan.inputs[0], DT)
            errors.append(np.linalg.norm(x[:2] - reference[k + 1, :2]))
        off.append(np.sqrt(np.mean(np.square(errors[30:]))))
    assert off[1] < 0.5 * off[0]


def test_what_is_no_transition_of_this_robot_is_refused(path, tmp_path):
    found = load(path)

    def refused(words, arrays=found.arrays, options=None, **changes):
        save(tmp_path / "c", arrays, replace(found.contract, **changes))
        with pytest.raises(CheckpointError, match=words) as caught:
            learned_model(load(tmp_path / "c"), options)
        assert "\n" not in str(caught.value)

    details = found.contract.details
    two = Scaling.identity(2)
    refused("for kind policy, but kind is transition here", kind="policy", variable_scaling=two)
    refused("model 'tank' is none of", model="tank")
    refused("state_names", model="omni")
    refused("options|wheelbase|state_names", model="ackermann")
    refused("no network 'wells'", architecture={"name": "wells", "hidden": 32})
    refused("noise_conditional", architecture={"name": "mlp", "hidden": 32, "noise_conditional": 1})
    refused("weights are not those", architecture={"name": "mlp", "hidden": 16})
    refused("weights are not those", arrays={"a": np.zeros(3, np.float32)})
    refused("say nothing of its noise", details={})
    refused("say nothing of its support", details={"noise": details["noise"]})
    refused("density", details=details | {"noise": {"density": [-1.0] * 5, "floor": 0.0}})
    refused("support's factor", details=details | {"support": {"factor": [[1.0]], "reach": 1.0}})
    support = dict(details["support"])
    refused("reach", details=details | {"support": support | {"reach": 0.0}})
    refused("reach", details=details | {"support": support | {"reach": "1"}})
    refused("values to unpack", sigmas=(0.1, 0.2))
    refused("smoothing must be finite, at least 0", sigmas=(-0.1,))
    refused("smoothing must be finite", sigmas=(1e200,))
    size = found.contract.architecture["hidden"]
    mlp = {"name": "mlp", "hidden": size, "confinement": -5.0}
    refused("confinement must be finite, above 0", architecture=mlp)
    scaling = found.contract.condition_scaling
    narrow = replace(scaling, deviation=(1e-320,) * len(scaling.deviation))
    refused("deviations are too small", condition_scaling=narrow)
    refused("parameter model must name it", model="this:Zen")
    assert "this" not in sys.modules


def test_the_wheelbase_must_be_that_of_the_training(path, tmp_path):
    found = load(path)
    changes = {
        "model": "ackermann",
        "state_names": ("x", "y", "yaw", "vx", "steering"),
        "input_names": ("ax", "steering_rate"),
        "condition_names": ("vx", "steering", "ax", "steering_rate"),
        "details": {
            **{name: found.contract.details[name] for name in ("noise", "support")},
            "options": {"wheelbase": 0.4},
        },
    }
    save(tmp_path / "c", found.arrays, replace(found.contract, **changes))
    with pytest.raises(CheckpointError, match=r"trained for wheelbase 0\.4, but wheelbase is 0\.5"):
        learned_model(load(tmp_path / "c"), {"wheelbase": 0.5})
    assert learned_model(load(tmp_path / "c"), {"wheelbase": 0.4}).state_names[-1] == "steering"
