"""The live log of a run: one JSON event a line, with stream_name, time (s) and data."""

import codecs
import contextlib
import json
import os
import selectors
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

MAX_BYTES = 32 << 20  # of a log; the rest is dropped
_MAX_LINE = 1 << 16  # bytes
_TOO_LONG = f"The log is longer than {MAX_BYTES >> 20} MB: the rest is dropped.\n"


class RunLog:
    """The log of one run."""

    def __init__(self, file: Path):
        self.file, self._started = file, 0.0
        self.n_written, self.n_lines = 0, 0  # bytes and events so far
        self._out: IO[str] | None = None
        self._changed = threading.Condition()

    @contextlib.contextmanager
    def opened(self) -> Iterator[None]:
        """Accept events while the block runs. Their time counts from its start."""
        self._started = time.monotonic()
        with self.file.open("w", encoding="utf-8") as self._out:
            try:
                yield
            finally:
                with self._changed:  # later events are dropped
                    self._out = None

    def add(self, stream: str, data: str) -> None:
        """Add an event of a stream: stdout or stderr."""
        with self._changed:
            if self._out is None or self.n_written >= MAX_BYTES:
                return
            line = self._line(stream, data)
            is_full = self.n_written + len(line) > MAX_BYTES
            if is_full:
                line = self._line("stderr", _TOO_LONG)
            self._out.write(line)
            self._out.flush()
            self.n_written += len(line)
            self.n_lines += 1
            if is_full:
                self.n_written = max(self.n_written, MAX_BYTES)
            self._changed.notify_all()

    def _line(self, stream: str, data: str) -> str:
        seconds = round(time.monotonic() - self._started, 6)
        return json.dumps({"stream_name": stream, "time": seconds, "data": data}) + "\n"

    def follow(self, process: subprocess.Popen[bytes]) -> None:
        """Add the lines of both streams of a process until it closes them.

        Of lines that arrive at the same time, those of stdout are first.
        """
        with selectors.DefaultSelector() as streams:
            for name, stream in (("stdout", process.stdout), ("stderr", process.stderr)):
                if stream is not None:
                    streams.register(stream, selectors.EVENT_READ, _Lines(self, name))
            while streams.get_map():
                ready = [key for key, _ in streams.select()]
                for key in sorted(ready, key=lambda k: k.data.stream == "stderr"):
                    chunk = os.read(key.fd, _MAX_LINE)
                    key.data.add(chunk)
                    if not chunk:
                        streams.unregister(key.fileobj)
                        key.fileobj.close()  # type: ignore[union-attr]

    def wait(self, condition: Callable[[], bool], timeout_s: float | None) -> None:
        """Wait until a condition is true. It is checked at each event and at `wake`."""
        with self._changed:
            self._changed.wait_for(condition, timeout=timeout_s)

    def wake(self) -> None:
        """Check the conditions of all waiting threads."""
        with self._changed:
            self._changed.notify_all()


class _Lines:
    """Split the bytes of one stream into the lines of a log."""

    def __init__(self, log: RunLog, stream: str):
        self.stream, self._log, self._rest = stream, log, ""
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def add(self, chunk: bytes) -> None:
        """Add bytes; b"" ends the stream."""
        text = self._rest + self._decoder.decode(chunk, not chunk)
        *lines, self._rest = text.split("\n")
        for line in lines:
            self._log.add(self.stream, line + "\n")
        if self._rest and (not chunk or len(self._rest) > _MAX_LINE):
            self._log.add(self.stream, self._rest)
            self._rest = ""


def read_lines(file: Path, start: int = 0) -> list[bytes]:
    """Return the complete lines of a log from byte `start` on; none when there is no log."""
    try:
        with file.open("rb") as f:
            f.seek(start)
            return f.read().split(b"\n")[:-1]
    except FileNotFoundError:
        return []


def read_last_events(file: Path, max_bytes: int = 64 << 10) -> list[dict[str, Any]]:
    """Return the events in the last bytes of a log."""
    size = file.stat().st_size if file.exists() else 0
    lines = read_lines(file, max(0, size - max_bytes))
    if size > max_bytes:
        lines = lines[1:]  # the first is cut
    return [json.loads(line) for line in lines]
