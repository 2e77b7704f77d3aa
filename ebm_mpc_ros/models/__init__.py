"""What a robot is: f, h and their Jacobians, batched, on any array-API library."""

from ebm_mpc_ros.models.base import CANONICAL_STATES, Jacobians, Model
from ebm_mpc_ros.models.checking import ModelError
from ebm_mpc_ros.models.registry import ModelNotFoundError, load_model

__all__ = [
    "CANONICAL_STATES",
    "Jacobians",
    "Model",
    "ModelError",
    "ModelNotFoundError",
    "load_model",
]
