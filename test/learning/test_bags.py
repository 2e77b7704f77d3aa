"""Bags: written, read back, and refused in one line where they are none."""

from pathlib import Path

import numpy as np
import pytest
from rosbags.rosbag2 import StoragePlugin, Writer
from rosbags.typesys import Stores, get_typestore

from ebm_mpc_ros.learning.bags import BagError, BagWriter, open_bag

HUSKY = Path(__file__).parents[1] / "data" / "husky.bag"
TWIST = "geometry_msgs/msg/Twist"
POINT = "geometry_msgs/msg/Point"
STORE = get_typestore(Stores.ROS2_JAZZY)


def twist(x):
    vector = STORE.types["geometry_msgs/msg/Vector3"]
    return STORE.types[TWIST](vector(x, 0.0, 0.0), vector(0.0, 0.0, -x))


def point(x):
    return STORE.types[POINT](x, 0.0, 0.0)


@pytest.fixture
def mcap(tmp_path):
    path = tmp_path / "mcap"
    with BagWriter(path) as writer:
        for k in range(300):
            writer.write("/b" if k % 3 else "/a", TWIST, 1000 + k, twist(float(k)))
        writer.write("/c", POINT, 2000, point(1.0))
    return path


@pytest.fixture
def sqlite(tmp_path):
    path = tmp_path / "sqlite"
    with Writer(path, version=9, storage_plugin=StoragePlugin.SQLITE3) as writer:
        connection = writer.add_connection("/a", TWIST, typestore=STORE)
        for k in range(5):
            writer.write(connection, 1000 + k, STORE.serialize_cdr(twist(float(k)), TWIST))
    return path


def refused(path):
    """Return what is said of a bag that can't be read to its end."""
    with pytest.raises(BagError) as caught, open_bag(path) as bag:
        for _ in bag.messages(list(bag.topics)):
            pass
    said = str(caught.value)
    assert said.startswith(f"{path}: ")
    assert "\n" not in said
    return said


def test_what_is_written_is_read_back_in_order(mcap):
    with open_bag(mcap) as bag:
        assert {name: (t.type, t.messages) for name, t in bag.topics.items()} == {
            "/a": (TWIST, 100),
            "/b": (TWIST, 200),
            "/c": (POINT, 1),
        }
        found = [(topic, time, m.linear.x, m.angular.z) for topic, time, m in bag.messages(["/a"])]
        assert found == [("/a", 1000 + k, float(k), -float(k)) for k in range(0, 300, 3)]
        times = [time for _, time, _ in bag.messages(["/b", "/c", "/a"])]
        assert times == [*range(1000, 1300), 2000]
        assert bag.start_time == 1000
        assert bag.end_time >= 2000


def test_no_topics_are_no_messages(mcap):
    with open_bag(mcap) as bag:
        assert list(bag.messages([])) == []


def test_an_sqlite3_bag_is_read_alike(sqlite):
    with open_bag(sqlite) as bag:
        assert [m.linear.x for _, _, m in bag.messages(["/a"])] == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(("kind", "pattern"), [("mcap", "*.mcap"), ("sqlite", "*.db3")])
def test_a_bag_may_be_named_by_its_file(request, kind, pattern):
    (file,) = request.getfixturevalue(kind).glob(pattern)
    with open_bag(file) as bag:
        assert "/a" in bag.topics


def test_a_ros_1_bag_is_read_and_becomes_cdr():
    with open_bag(HUSKY) as bag:
        assert bag.topics["/imu/data"].messages == 11865
        assert bag.topics["/imu/data"].type == "sensor_msgs/msg/Imu"
        _, _, kind, raw = next(bag.raw_messages(["/imu/data"]))
        message = STORE.deserialize_cdr(bag.to_cdr(raw, kind), kind)
        _, _, same = next(bag.messages(["/imu/data"]))
    assert message.header.frame_id == same.header.frame_id
    np.testing.assert_array_equal(message.orientation_covariance, same.orientation_covariance)


def test_cdr_stays_cdr(mcap):
    with open_bag(mcap) as bag:
        _, _, kind, raw = next(bag.raw_messages(["/a"]))
        assert bag.to_cdr(raw, kind) is raw


def test_a_topic_that_is_not_there_is_named_with_those_that_are(mcap):
    with open_bag(mcap) as bag, pytest.raises(BagError, match=r"no topic /d; it has /a, /b, /c$"):
        list(bag.messages(["/a", "/d"]))


def test_a_missing_bag_is_named(tmp_path):
    assert refused(tmp_path / "none").endswith("no such bag")


def test_a_bag_without_messages_is_refused(tmp_path):
    with BagWriter(tmp_path / "empty"):
        pass
    refused(tmp_path / "empty")


def test_a_bag_with_a_topic_and_no_messages_is_refused(tmp_path):
    path = tmp_path / "silent"
    with Writer(path, version=9, storage_plugin=StoragePlugin.MCAP) as writer:
        writer.add_connection("/a", TWIST, typestore=STORE)
    refused(path)


@pytest.mark.parametrize("content", [b"", b"#ROSBAG V2.0\n", b"nothing of the kind" * 100])
@pytest.mark.parametrize("name", ["x.bag", "x.mcap", "x.db3", "x.txt"])
def test_a_file_that_is_no_bag_is_refused(tmp_path, name, content):
    path = tmp_path / name
    path.write_bytes(content)
    refused(path)


def test_a_folder_that_is_no_bag_is_refused(tmp_path):
    refused(tmp_path)


def test_a_bag_without_its_metadata_is_refused(mcap):
    (mcap / "metadata.yaml").unlink()
    refused(mcap)


@pytest.mark.parametrize("metadata", ["", "a: [1", "- 1\n", "rosbag2_bagfile_information: {}\n"])
def test_a_bag_with_broken_metadata_is_refused(mcap, metadata):
    (mcap / "metadata.yaml").write_text(metadata)
    refused(mcap)


@pytest.mark.parametrize("kind", ["mcap", "sqlite"])
def test_a_bag_without_its_file_is_refused(request, kind):
    folder = request.getfixturevalue(kind)
    (file,) = (path for path in folder.iterdir() if path.suffix in (".mcap", ".db3"))
    file.unlink()
    refused(folder)


@pytest.mark.parametrize("share", [0.0, 0.001, 0.1, 0.3, 0.5, 0.7, 0.9, 0.99, 0.9999])
def test_a_truncated_ros_1_bag_is_refused(tmp_path, share):
    whole = HUSKY.read_bytes()
    path = tmp_path / "cut.bag"
    path.write_bytes(whole[: int(share * len(whole))])
    refused(path)


@pytest.mark.parametrize("share", [0.0, 0.001, 0.1, 0.3, 0.5, 0.7, 0.9, 0.99, 0.9999])
@pytest.mark.parametrize("kind", ["mcap", "sqlite"])
def test_a_truncated_ros_2_bag_is_refused(request, kind, share):
    folder = request.getfixturevalue(kind)
    (file,) = (path for path in folder.iterdir() if path.suffix in (".mcap", ".db3"))
    whole = file.read_bytes()
    file.write_bytes(whole[: int(share * len(whole))])
    refused(folder)


def test_a_damaged_message_is_refused(tmp_path):
    path = tmp_path / "damaged"
    with BagWriter(path) as writer:
        writer.write_raw("/a", TWIST, 1, b"\x00\x01\x00\x00short")
    assert "a message on /a is damaged" in refused(path)


def test_an_existing_folder_is_not_written_over(mcap):
    with pytest.raises(BagError, match="exists already"):
        BagWriter(mcap)
