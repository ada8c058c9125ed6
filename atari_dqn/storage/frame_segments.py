"""The replay's frames on disk, in segments that are written once: a checkpoint adds what is new since the one before.

    checkpoints/frames/step_0000250000.zst     frames of all environments, from one time of the ring to another

They are compressed with zstandard, since frames of a game are alike; older versions wrote them raw, as .bin. A
checkpoint lists the segments that its replay is made of, oldest first, with the checksums of their raw frames. Neither
writing nor reading holds more than one block in memory beside the replay.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

import torch
import zstandard

from atari_dqn.errors import UsageError
from atari_dqn.replay.frames import FrameRing
from atari_dqn.safe_files import open_to_read
from atari_dqn.storage.checkpoint import force_to_disk, read_meta, refuse_as_machine
from atari_dqn.storage.schema import CheckpointError, integer, several, table, text
from atari_dqn.storage.steps import step_name

SEGMENT = table(  # no name leads out of the folder
    {
        "name": text(r"step_\d{10,19}\.(bin|zst)"),
        "first": integer(0),
        "last": integer(0),
        "sha256": text("[0-9a-f]{64}"),
    }
)
SEGMENTS = table({"frames": several(SEGMENT, most=10**6)}, more=True)
BLOCK_BYTES = 32 * 2**20
LEVEL = 1  # of zstandard: the fastest of its usual ones
WINDOW_BYTES = 2**23  # memory that a segment may ask for to be read; level 1 needs less


@dataclass(frozen=True)
class Segment:
    """Frames of the times `first` to `last`, both included."""

    name: str
    first: int
    last: int
    sha256: str


class FrameSegments:
    """The segments of one run.

    Args:
      folder: where they lie; made when the first is written.

    Attributes:
      segments: those that make up the replay as it was last written or read, oldest first.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.segments: list[Segment] = []

    @property
    def written_until(self) -> int:
        """Newest time whose frames are on the disk, -1 if none are."""
        return self.segments[-1].last if self.segments else -1

    def write(self, ring: FrameRing, times: tuple[int, int], step: int) -> list[dict[str, Any]]:
        """Write the frames that are not on disk yet. The replay may grow meanwhile, but not replace them.

        Args:
          ring:   the frames.
          times:  its oldest and newest time to be written (`ring.times` at the checkpoint).
          step:   agent step of the checkpoint, the name of the new segment.

        Returns:
          What a checkpoint has to remember (JSON).

        Raises:
          UsageError: the disk refuses; older segments are untouched.
        """
        oldest, newest = times
        kept = [segment for segment in self.segments if segment.last >= oldest]
        first = kept[-1].last + 1 if kept else oldest
        if first <= newest:
            kept.append(self._write_segment(ring, step_name(step) + ".zst", first, newest))
        self.segments = kept
        return [asdict(segment) for segment in kept]

    def _write_segment(self, ring: FrameRing, name: str, first: int, last: int) -> Segment:
        partial = self.folder / (name + ".partial")
        digest = hashlib.sha256()
        try:
            self.folder.mkdir(exist_ok=True)
            partial.unlink(missing_ok=True)  # of a killed save
            with partial.open("xb") as file:
                with zstandard.ZstdCompressor(LEVEL).stream_writer(file, closefd=False) as compressed:
                    for time, count in blocks(ring, first, last):
                        content = ring.read(time, count).contiguous().numpy().data.cast("B")
                        digest.update(content)
                        compressed.write(content)
                file.flush()
                os.fsync(file.fileno())
            os.replace(partial, self.folder / name)
            force_to_disk(self.folder)
        except OSError as error:
            partial.unlink(missing_ok=True)
            raise UsageError(
                f"cannot write the replay to {self.folder / name} ({error}); older checkpoints are intact. "
                "Make room, or use --no-save-replay, then go on with --resume"
            ) from error
        return Segment(name, first, last, digest.hexdigest())

    def read(self, ring: FrameRing, segments: list[Segment]) -> None:
        """Fill the frames of a replay whose other arrays are in place.

        Raises:
          CheckpointError: a segment is missing, damaged, or not of this replay.
        """
        oldest, newest = ring.times
        if any(not 0 <= segment.last - segment.first < ring.num_times for segment in segments):
            raise CheckpointError(f"a segment in {self.folder} is longer than the replay; use an older checkpoint")
        ends = [segment.last + 1 for segment in segments]
        starts = [segment.first for segment in segments]
        in_a_row = bool(segments) and starts[1:] == ends[:-1] and ends[-1] == newest + 1
        if not in_a_row or not starts[0] <= oldest < ends[0]:  # older ones would only be read, perhaps for days
            raise CheckpointError(f"the segments in {self.folder} do not make up the replay; use an older checkpoint")
        for segment in segments:
            self._read_segment(ring, segment, oldest)
        self.segments = segments

    def _read_segment(self, ring: FrameRing, segment: Segment, oldest: int) -> None:
        path = self.folder / segment.name
        digest = hashlib.sha256()
        try:
            size = (segment.last - segment.first + 1) * ring.bytes_at_once
            with _open(path, size) as file:
                for time, count in blocks(ring, segment.first, segment.last):
                    block = torch.empty(ring.block_shape(count), dtype=ring.frames.dtype)
                    content = block.numpy().data.cast("B")
                    if not _fill(content, file):
                        raise CheckpointError(f"{path} is cut off; use an older checkpoint")
                    digest.update(content)
                    if time + count > oldest:  # what the ring has overwritten since is only checked
                        skipped = max(0, oldest - time)
                        ring.write(time + skipped, block[skipped:])
        except OSError as error:
            refuse_as_machine(path, error)
            raise CheckpointError(f"{path} cannot be read ({error.strerror}); use an older checkpoint") from error
        except zstandard.ZstdError as error:
            raise CheckpointError(f"{path} is damaged ({error}); use an older checkpoint") from error
        if digest.hexdigest() != segment.sha256:
            raise CheckpointError(f"{path} is damaged: its checksum differs; use an older checkpoint")

    def prune(self, checkpoints: Sequence[Path]) -> None:
        """Delete the segments that none of these checkpoints needs, and what a killed save left behind."""
        needed: set[str] = set()
        for directory in checkpoints:
            with suppress(CheckpointError):  # a damaged checkpoint needs nothing
                needed |= {segment.name for segment in segments_of(read_meta(directory))}
        for path in self.folder.glob("step_*"):
            if path.name not in needed:
                path.unlink()


@contextmanager
def _open(path: Path, size: int) -> Iterator[IO[bytes]]:
    """The raw frames of a segment, `size` bytes; a compressed one may be a little larger, where it does not shrink."""
    compressed = path.suffix == ".zst"
    with open_to_read(path, size + size // 128 + 2**16 if compressed else size) as file:
        yield zstandard.ZstdDecompressor(max_window_size=WINDOW_BYTES).stream_reader(file) if compressed else file


def _fill(content: memoryview, file: IO[bytes]) -> bool:
    """Read until `content` is full; False at the end of the file."""
    filled = 0
    while filled < len(content):
        count = file.readinto(content[filled:])  # type: ignore[attr-defined]
        if not count:
            return False
        filled += count
    return True


def blocks(ring: FrameRing, first: int, last: int) -> list[tuple[int, int]]:
    """(time, count) of runs of times that lie side by side in the ring, each of at most BLOCK_BYTES."""
    longest = max(1, BLOCK_BYTES // ring.bytes_at_once)
    found = []
    while first <= last:
        until_wrap = ring.num_times - first % ring.num_times
        count = min(longest, until_wrap, last - first + 1)
        found.append((first, count))
        first += count
    return found


def segments_of(meta: Mapping[str, Any]) -> list[Segment]:
    """The segments that a checkpoint lists, oldest first; none if it was saved without its replay.

    Raises:
      CheckpointError: not a list of segments.
    """
    SEGMENTS(meta, "")
    return [Segment(**segment) for segment in meta["frames"]]
