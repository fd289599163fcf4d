"""A run's log: one JSON event a line (stream_name, time in s, data), written as its processes write, and followed by who waits for news."""

from __future__ import annotations

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

LARGEST = 32 << 20  # bytes of a log; the rest is dropped
_TOO_LONG = f"The log is longer than {LARGEST >> 20} MB: the rest is dropped.\n"


class RunLog:
    "The log of one run."

    def __init__(self, file: Path):
        self.file, self.written, self._began = file, 0, 0.0  # written: bytes so far
        self._out: IO[str] | None = None
        self._news = threading.Condition()

    @contextlib.contextmanager
    def opened(self) -> Iterator[None]:
        "Write while the block runs; time counts from its beginning."
        self._began = time.monotonic()
        with self.file.open("w", encoding="utf-8") as self._out:
            try:
                yield
            finally:
                with self._news:  # what comes later is dropped
                    self._out = None

    def note(self, name: str, data: str) -> None:
        "Add an event of a stream: stdout or stderr."
        with self._news:
            if self._out is None or self.written >= LARGEST:
                return
            line = (
                json.dumps(
                    {
                        "stream_name": name,
                        "time": round(time.monotonic() - self._began, 6),
                        "data": data,
                    }
                )
                + "\n"
            )
            if is_full := self.written + len(line) > LARGEST:
                line = (
                    json.dumps(
                        {
                            "stream_name": "stderr",
                            "time": round(time.monotonic() - self._began, 6),
                            "data": _TOO_LONG,
                        }
                    )
                    + "\n"
                )
            self._out.write(line)
            self._out.flush()
            self.written += len(line)
            if is_full:
                self.written = max(self.written, LARGEST)
            self._news.notify_all()

    def follow(self, process: subprocess.Popen[bytes]) -> None:
        "Note the lines of both streams of a process as they come; of what came at once, stdout first."
        opened = {
            name: stream
            for name, stream in (("stdout", process.stdout), ("stderr", process.stderr))
            if stream is not None
        }
        rest, decode = (
            dict.fromkeys(opened, ""),
            {name: codecs.getincrementaldecoder("utf-8")("replace").decode for name in opened},
        )
        with selectors.DefaultSelector() as streams:
            for name, stream in opened.items():
                streams.register(stream, selectors.EVENT_READ, name)
            while streams.get_map():
                for key, _ in sorted(streams.select(), key=lambda found: found[0].data == "stderr"):
                    name, chunk = key.data, os.read(key.fd, 1 << 16)
                    *lines, rest[name] = (rest[name] + decode[name](chunk, not chunk)).split("\n")
                    for line in lines:
                        self.note(name, line + "\n")
                    if rest[name] and (not chunk or len(rest[name]) > 1 << 16):
                        self.note(name, rest[name])
                        rest[name] = ""
                    if not chunk:
                        streams.unregister(key.fileobj)
                        opened[name].close()

    def wait(self, holds: Callable[[], bool], timeout_s: float) -> None:
        "Wait until something holds; it is asked at each event, and when `wake` is called."
        with self._news:
            self._news.wait_for(holds, timeout=timeout_s)

    def wake(self) -> None:
        "Let those who wait ask again."
        with self._news:
            self._news.notify_all()


def lines(file: Path, start: int = 0) -> list[bytes]:
    "Return the whole lines of a log from byte `start` on; none when the run has not started or never will."
    try:
        with file.open("rb") as f:
            f.seek(start)
            return f.read().split(b"\n")[:-1]
    except FileNotFoundError:
        return []


def last_events(file: Path, most: int = 64 << 10) -> list[dict[str, Any]]:
    "Return the events in the last `most` bytes of a log."
    size = file.stat().st_size if file.exists() else 0
    found = lines(file, max(0, size - most))
    return [json.loads(line) for line in (found if size <= most else found[1:])]
