"""A TensorBoard event file of our own: written at once, by no thread, in an order that no clock can disturb.

TensorBoard reads the files of a run in the order of their names, which begin with a time, and shows points in the order
of theirs. A resumed run may live under a clock that was set back: its file and its events come after all before.
"""

from __future__ import annotations

import math
import os
import re
import socket
import struct
import time
from pathlib import Path
from typing import Any

from atari_dqn.safe_files import LOG_BYTES, open_to_read

NAME = re.compile(r"events\.out\.tfevents\.(\d{10})\..*")
LENGTH = struct.Struct("<Q4x")  # before each record: its bytes, and a checksum


class EventFile:
    """The events of one life of a run.

    Args:
      folder: the run folder.
      purge:  TensorBoard forgets what earlier files say of this agent step and later ones; None for a new run.
    """

    def __init__(self, folder: Path, purge: int | None) -> None:
        from tensorboard.compat.proto.event_pb2 import Event, SessionLog
        from tensorboard.summary.writer.record_writer import RecordWriter

        earlier = [path for path in folder.iterdir() if NAME.fullmatch(path.name)]
        stamps = [int(path.name.split(".")[3]) for path in earlier]
        self._newest = max(map(last_time, earlier), default=0.0)
        stamp = max([int(time.time()), *(stamp + 1 for stamp in stamps)])
        name = f"events.out.tfevents.{stamp:010d}.{socket.gethostname()}.{os.getpid()}"
        self._event, self._file = Event, (folder / name).open("xb")
        self._records = RecordWriter(self._file)
        self._add(file_version="brain.Event:2")
        # of a run's starts TensorBoard takes the first for its beginning, and purges at those after it
        self._add(step=purge or 0, session_log=SessionLog(status=SessionLog.START))

    def add(self, summary: Any, step: int | None = None) -> None:
        """A Summary of `torch.utils.tensorboard.summary`, at an agent step."""
        self._add(summary=summary, step=step)

    def _add(self, **fields: Any) -> None:
        self._newest = max(self._newest, time.time())
        event = self._event(wall_time=self._newest, **fields)
        self._records.write(event.SerializeToString())

    def flush(self) -> None:
        self._file.flush()

    def close(self) -> None:
        self._file.close()


def last_time(path: Path) -> float:
    """Seconds of the last event of a file that may be cut off, or a stranger's; 0 if there is none."""
    from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
    from tensorboard.compat.proto.event_pb2 import Event

    last = b""
    with open_to_read(path) as file:
        size = os.fstat(file.fileno()).st_size
        while len(header := file.read(LENGTH.size)) == LENGTH.size:
            (length,) = LENGTH.unpack(header)
            if not 0 < length <= LOG_BYTES or file.tell() + length + 4 > size:  # zeros, as a sparse file has, are none
                break
            last = file.read(length)
            file.seek(4, os.SEEK_CUR)
    try:
        seconds = Event.FromString(last).wall_time
    except DecodeError:
        return 0.0
    return seconds if math.isfinite(seconds) else 0.0
