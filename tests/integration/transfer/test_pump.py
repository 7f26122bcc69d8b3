"""The loop thread ends while others still talk to it."""

import os
import threading

from ferryman.transfer.pump import Pump


def test_posting_to_a_closed_pump_touches_nobody_elses_descriptor():
    def fail(error: BaseException) -> None:
        raise AssertionError from error

    def talk(pump: Pump) -> None:
        for _ in range(50):
            pump.post(lambda: None)

    for _ in range(50):
        pump = Pump(lambda _now: None, lambda: None, fail)
        pump.start()
        others = [threading.Thread(target=talk, args=(pump,)) for _ in range(2)]
        for thread in others:
            thread.start()
        pump.close()
        pump.close()
        reader, writer = os.pipe()
        for thread in others:
            thread.join()
        pump.post(lambda: None)
        os.close(writer)
        assert os.read(reader, 8) == b""
        os.close(reader)
