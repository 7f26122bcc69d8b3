"""How something ends that another thread works on: a future that loads neither executors nor logging."""

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Outcome(Generic[T]):
    """Empty until it is set, once, to a value or an error. Thread-safe."""

    def __init__(self) -> None:
        """Nothing is known yet."""
        self._changed = threading.Condition()
        self._set = False
        self._value: T | None = None
        self._error: BaseException | None = None
        self._callbacks: list[Callable[[], None]] = []

    def done(self) -> bool:
        """Whether it was set."""
        return self._set

    def set(self, value: T | None, error: BaseException | None = None) -> None:
        """Set it to `error`, or to `value` when there is none, and call whoever asked for it, in this thread."""
        with self._changed:
            assert not self._set
            self._value, self._error, self._set = value, error, True
            callbacks, self._callbacks = self._callbacks, []
            self._changed.notify_all()
        for callback in callbacks:
            callback()

    def when_set(self, callback: Callable[[], None]) -> None:
        """Call `callback` in the thread that sets it, or at once when it is set; it must neither block nor raise."""
        with self._changed:
            if not self._set:
                self._callbacks.append(callback)
                return
        callback()

    def wait(self, timeout: float | None = None) -> T:
        """Block until it is set and return the value. Raises the error, or `TimeoutError` after `timeout` seconds."""
        with self._changed:
            if not self._changed.wait_for(lambda: self._set, timeout):
                raise TimeoutError
        if self._error is not None:
            raise self._error
        return self._value  # type: ignore[return-value]  # set to None only beside an error
