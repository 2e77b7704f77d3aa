"""A whole run of the unadjusted Langevin algorithm as one CUDA graph."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace
from typing import TYPE_CHECKING

import torch

from ebm_mpc_ros.energy.langevin import Chains, ula

if TYPE_CHECKING:
    from torch import Generator, Tensor

    from ebm_mpc_ros.energy.bounds import Bounds
    from ebm_mpc_ros.energy.mlp import FoldedMLP

_WARM_UPS = 3


class GraphedULA:
    """`ula` with all its kernels launched at once; on a device other than CUDA, plain `ula`.

    The number of chains, the steps, the step size and the noise level stay as they were captured;
    points and conditions change from call to call. The noise is what `ula` draws from the same
    state of the generator.
    """

    def __init__(
        self,
        energy: FoldedMLP,
        x: Tensor,
        *,
        step_size: float,
        steps: int,
        generator: Generator,
        bounds: Bounds | None = None,
    ) -> None:
        """Capture a run from points like `x` (K, d); arguments are those of `ula`.

        Raises:
            ValueError: `step_size` is not positive or `steps` is negative.
        """
        # A captured graph reads and writes at fixed places: they are its own.
        self._energy, self._x = deepcopy(energy), x.clone()
        self._generator = generator
        self._step_size, self._steps, self._bounds = step_size, steps, bounds
        self._graph: torch.cuda.CUDAGraph | None = None
        if x.device.type == "cuda":
            self._capture()

    def __call__(self, x: Tensor, energy: FoldedMLP | None = None) -> Chains:
        """Run from `x` (K, d), given another condition of the same network where one is given.

        Raises:
            ValueError: `x` or the energy has another shape, or the energy another noise level.
        """
        if x.shape != self._x.shape:
            raise ValueError(f"x is {tuple(x.shape)}, allowed is {tuple(self._x.shape)}")
        if energy is not None:
            self._energy.take(energy)
        self._x.copy_(x)
        if self._graph is None:
            return self._run()
        self._graph.replay()
        chains = self._chains
        # The next replay writes over what this one leaves.
        return replace(
            chains, x=chains.x.clone(), energy=chains.energy.clone(), score=chains.score.clone()
        )

    def _capture(self) -> None:
        state = self._generator.get_state()
        stream = torch.cuda.Stream(self._x.device)  # type: ignore[no-untyped-call]
        stream.wait_stream(torch.cuda.current_stream(self._x.device))
        with torch.cuda.stream(stream):
            for _ in range(_WARM_UPS):
                self._run()
        torch.cuda.current_stream(self._x.device).wait_stream(stream)
        self._generator.set_state(state)
        graph = torch.cuda.CUDAGraph()
        graph.register_generator_state(self._generator)
        with torch.cuda.graph(graph):
            self._chains = self._run()
        self._graph = graph

    def _run(self) -> Chains:
        return ula(
            self._energy,
            self._x,
            step_size=self._step_size,
            steps=self._steps,
            generator=self._generator,
            bounds=self._bounds,
        )
