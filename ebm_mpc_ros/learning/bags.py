"""Bags, ROS 1 and ROS 2, through the library rosbags."""

from __future__ import annotations

from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from rosbags.highlevel import AnyReader
from rosbags.rosbag2 import StoragePlugin, Writer
from rosbags.typesys import Stores, get_typestore

from ebm_mpc_ros.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping
    from pathlib import Path
    from typing import Self

    from rosbags.typesys.store import Typestore

_FORMAT: Literal[9] = 9
_WATCHED = 100
_HEADER = "std_msgs/msg/Header"

METADATA = "metadata.yaml"
"""The file that makes a folder a ROS 2 bag."""


class BagError(UserError):
    """A bag can't be read or written."""


class Topic(NamedTuple):
    """One topic of a bag: name, type such as nav_msgs/msg/Odometry, how many messages."""

    name: str
    type: str
    messages: int


class Bag:
    """An open bag. Times are ns."""

    def __init__(self, path: Path, reader: AnyReader) -> None:
        """Wrap an open reader; use `open_bag`."""
        self._path = path
        self._reader = reader
        topics: dict[str, Topic] = {}
        for connection in reader.connections:
            known = topics.get(connection.topic)
            number = connection.msgcount + (known.messages if known else 0)
            topics[connection.topic] = Topic(connection.topic, connection.msgtype, number)
        self.topics: Mapping[str, Topic] = topics
        self.watch: Callable[[int], None] | None = None
        """Told now and then how many messages have been read."""
        self.read = 0
        """How many messages have been read."""
        self.start_time: int = reader.start_time
        self.end_time: int = reader.end_time

    def topic(self, name: str) -> Topic:
        """Return the topic of that name.

        Raises:
            BagError: There is none.
        """
        if name not in self.topics:
            has = ", ".join(sorted(self.topics)) or "no topics"
            raise BagError(f"{self._path}: no topic {name}; it has {has}")
        return self.topics[name]

    def messages(
        self, topics: Collection[str], every: Mapping[str, int] | None = None
    ) -> Iterator[tuple[str, int, Any]]:
        """Yield (topic, time of arrival, message) of those topics, in order of arrival.

        Args:
            topics: Which ones.
            every: Of these topics only every so many-th message.

        Raises:
            BagError: A topic is missing, or a message can't be read.
        """
        every = every or {}
        counts = dict.fromkeys(every, 0)
        for topic, time, kind, raw in self.raw_messages(topics):
            if topic in every:
                counts[topic] += 1
                if (counts[topic] - 1) % every[topic]:
                    continue
            try:
                yield topic, time, self._reader.deserialize(raw, kind)
            except Exception as error:
                raise BagError(
                    f"{self._path}: a message on {topic} is damaged: {_one_line(error)}"
                ) from error

    def raw_messages(self, topics: Collection[str]) -> Iterator[tuple[str, int, str, bytes]]:
        """Yield (topic, time of arrival, type, serialised message), in order of arrival.

        Raises:
            BagError: A topic is missing, or the bag is damaged.
        """
        for topic in topics:
            self.topic(topic)
        if not topics:
            return
        connections = [c for c in self._reader.connections if c.topic in topics]
        messages = self._reader.messages(connections)
        while True:
            try:
                connection, time, raw = next(messages)
            except StopIteration:
                return
            except Exception as error:
                raise BagError(f"{self._path}: the bag is damaged: {_one_line(error)}") from error
            self.read += 1
            if self.watch is not None and self.read % _WATCHED == 0:
                self.watch(self.read)
            yield connection.topic, time, connection.msgtype, raw

    def to_cdr(self, raw: bytes, kind: str) -> bytes:
        """Return a serialised message in ROS 2's serialisation, whatever the bag's.

        Raises:
            BagError: The message can't be read.
        """
        if self._reader.is2:
            return raw
        try:
            return bytes(self._ros2_types.ros1_to_cdr(raw, kind))
        except Exception as error:
            raise BagError(f"{self._path}: a {kind} is damaged: {_one_line(error)}") from error

    @cached_property
    def _ros2_types(self) -> Typestore:
        """The bag's own types with ROS 2's header, which has no `seq`."""
        store = get_typestore(Stores.EMPTY)
        header = get_typestore(Stores.ROS2_JAZZY).fielddefs[_HEADER]
        store.register({**self._reader.typestore.fielddefs, _HEADER: header})
        return store


def location(path: Path) -> Path:
    """Return what a bag is read from: of a file in a ROS 2 bag's folder it is the folder."""
    found = path.resolve()
    return found.parent if found.is_file() and found.suffix in (".mcap", ".db3") else found


@contextmanager
def open_bag(path: Path) -> Iterator[Bag]:
    """Open a ROS 1 bag file or a ROS 2 bag folder (sqlite3 or MCAP).

    Raises:
        BagError: It is missing, truncated, of no known format, or empty.
    """
    if not path.exists():
        raise BagError(f"{path}: no such bag")
    if path.is_dir() and not (path / METADATA).exists():
        hint = "`ros2 bag reindex` makes one"
        if (path / "bag" / METADATA).exists():
            hint = f"its bag is {path / 'bag'}"
        raise BagError(f"{path}: can't be read as a bag: it has no {METADATA}; {hint}")
    try:
        reader = AnyReader([location(path)], default_typestore=get_typestore(Stores.ROS2_JAZZY))
        reader.open()
    except Exception as error:
        raise BagError(f"{path}: can't be read as a bag: {_one_line(error)}") from error
    try:
        if not any(connection.msgcount for connection in reader.connections):
            raise BagError(f"{path}: the bag has no messages")
        yield Bag(path, reader)
    finally:
        reader.close()


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__


class BagWriter:
    """A ROS 2 bag in MCAP being written; a context manager."""

    def __init__(self, path: Path) -> None:
        """Create the bag folder `path`.

        Raises:
            BagError: It exists already.
        """
        if path.exists():
            raise BagError(f"{path}: exists already")
        self.types = get_typestore(Stores.ROS2_JAZZY)
        self._writer = Writer(path, version=_FORMAT, storage_plugin=StoragePlugin.MCAP)
        self._connections: dict[str, Any] = {}
        self._writer.open()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Finish the bag."""
        self._writer.close()

    def write(self, topic: str, kind: str, time: int, message: Any) -> None:
        """Append a message of the type store `types`; `kind` is nav_msgs/msg/Odometry, say."""
        self.write_raw(topic, kind, time, self.types.serialize_cdr(message, kind))

    def write_raw(self, topic: str, kind: str, time: int, raw: bytes | memoryview) -> None:
        """Append a message serialised in CDR."""
        connection = self._connections.get(topic)
        if connection is None:
            connection = self._writer.add_connection(topic, kind, typestore=self.types)
            self._connections[topic] = connection
        self._writer.write(connection, time, bytes(raw))
