from pathlib import Path

from setuptools import find_packages, setup

NAME = "ebm_mpc_ros"
SHARE = Path("share") / NAME


def files(pattern: str) -> list[str]:
    return sorted(map(str, Path().glob(pattern)))


setup(
    name=NAME,
    version="0.1.0",
    license="Apache-2.0",
    packages=find_packages(include=[NAME, f"{NAME}.*"]),
    package_data={f"{NAME}.tools": ["report_page*.css", "report_page*.js"]},
    data_files=[
        ("share/ament_index/resource_index/packages", [f"resource/{NAME}"]),
        (str(SHARE), ["package.xml"]),
        (str(SHARE / "launch"), files("launch/*.launch.py")),
        (str(SHARE / "config"), files("config/*.yaml") + files("config/*.xml")),
        (str(SHARE / "rviz"), files("rviz/*.rviz")),
        (str(SHARE / "worlds"), files("worlds/*.*")),
        (str(SHARE / "checkpoints"), files("checkpoints/*.safetensors")),
    ],
    python_requires=">=3.11",
    install_requires=[
        "array-api-compat>=1.9",
        "matplotlib>=3.6",
        "mujoco>=3.3",
        "numpy>=1.26",
        "osqp>=1.1",
        "PyYAML>=6.0",
        "rich>=13.0",
        "rosbags>=0.10.5",
        "safetensors>=0.4",
        "scipy>=1.11",
        "torch>=2.4",
    ],
    extras_require={"test": ["hypothesis>=6.98", "pytest>=7.4,<8.4", "pytest-timeout>=2.2"]},
    entry_points={
        "console_scripts": [
            f"{node}_node = {NAME}.nodes.{node}:main"
            for node in (
                "course",
                "ekf",
                "mpc",
                "player",
                "policy",
                "recorder",
                "relay",
                "simulator",
            )
        ],
    },
    zip_safe=True,
)
