"""A background thread that processes queued items one after the other, each after a delay."""

import queue
import threading
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Worker(Generic[T]):
    """A queue and the thread that empties it."""

    def __init__(
        self,
        name: str,
        process: Callable[[T], None],  # must not raise
        *,
        delay_s: Callable[[], float],  # waited before each item
    ):
        self._process, self._delay_s = process, delay_s
        self._queue: queue.Queue[T | None] = queue.Queue()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True, name=name)
        self._thread.start()

    def put(self, item: T) -> None:
        """Queue an item."""
        self._queue.put(item)

    def close(self) -> None:
        """Finish the current item and stop. The next start of the sandbox queues the rest."""
        self._stopping.set()
        self._queue.put(None)
        self._thread.join(timeout=30)

    def _run(self) -> None:
        while (item := self._queue.get()) is not None:
            if self._stopping.wait(self._delay_s()):
                return
            self._process(item)
