"""The same robot and courses as a world of Gazebo's."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from typing import TYPE_CHECKING

from ebm_mpc_ros.resources import share_directory
from ebm_mpc_ros.simulation.courses import OBSTACLE_HEIGHT

if TYPE_CHECKING:
    from ebm_mpc_ros.simulation.courses import Course

_OBSTACLE_COLOUR = "0.80 0.33 0.18 1"
_TOPICS = ("topic", "odom_topic")


def compose_world(course: Course, namespace: str = "") -> str:
    """Return the SDF of worlds/gazebo.sdf with the robot on a course's start, and its obstacles.

    Args:
        course: Where the robot starts, and the obstacles.
        namespace: Of the robot's topics in Gazebo.
    """
    folder = share_directory() / "worlds"
    tree = ET.parse(folder / "gazebo.sdf")  # noqa: S314  our own files
    world = _found(tree.getroot(), "world")
    robot = _found(ET.parse(folder / "diff_drive.sdf").getroot(), "model")  # noqa: S314
    x, y, yaw = course.start
    pose = ET.Element("pose")
    pose.text = f"{x!r} {y!r} 0 0 0 {yaw!r}"
    robot.insert(0, pose)
    if prefix := namespace.strip("/"):
        for tag in _TOPICS:
            for element in robot.iter(tag):
                element.text = f"/{prefix}{element.text}"
    world.append(robot)
    if len(course.obstacles):
        world.append(_obstacles(course))
    ET.indent(tree)
    return ET.tostring(tree.getroot(), encoding="unicode", xml_declaration=True) + "\n"


def _obstacles(course: Course) -> ET.Element:
    model = ET.Element("model", name="obstacles")
    ET.SubElement(model, "static").text = "true"
    link = ET.SubElement(model, "link", name="obstacles")
    for number, (x, y, radius) in enumerate(course.obstacles.tolist()):
        for kind in ("collision", "visual"):
            body = ET.SubElement(link, kind, name=f"{number}_{kind}")
            ET.SubElement(body, "pose").text = f"{x!r} {y!r} {0.5 * OBSTACLE_HEIGHT!r} 0 0 0"
            cylinder = ET.SubElement(ET.SubElement(body, "geometry"), "cylinder")
            ET.SubElement(cylinder, "radius").text = repr(radius)
            ET.SubElement(cylinder, "length").text = repr(OBSTACLE_HEIGHT)
        material = ET.SubElement(body, "material")
        for kind in ("ambient", "diffuse"):
            ET.SubElement(material, kind).text = _OBSTACLE_COLOUR
    return model


def _found(root: ET.Element, tag: str) -> ET.Element:
    element = root.find(tag)
    if element is None:
        raise ValueError(f"an SDF file of this package has no {tag}")
    return element
