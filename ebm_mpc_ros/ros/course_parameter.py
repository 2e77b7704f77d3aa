"""The parameter `course`, by which a course is named."""

from __future__ import annotations

from ebm_mpc_ros.ros.parameters import Parameter, ParameterError
from ebm_mpc_ros.simulation.courses import Course, load_course

COURSE = Parameter(
    name="course",
    kind="str",
    default="figure_eight",
    description="Name of the course, one of worlds/courses.yaml.",
)


def read_course(name: str) -> Course:
    """Return the course of that name.

    Raises:
        ParameterError: There is none, or it is described wrongly.
    """
    try:
        return load_course(name)
    except ValueError as error:
        raise ParameterError(f"parameter course = {name}: {error}") from error
