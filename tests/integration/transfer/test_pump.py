"""The loop thread ends while others still talk to it, and knows how busy it is."""

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


def test_a_loop_knows_whether_it_waits():
    calm, busy = threading.Event(), threading.Event()

    def fail(error: BaseException) -> None:
        raise AssertionError from error

    def tick(_now: float) -> None:
        if busy.is_set() and pump.busy < 0.5:
            calm.set()

    def work() -> None:
        if pump.busy > 0.5:
            busy.set()
        else:
            pump.soon(work)

    pump = Pump(tick, lambda: 0.01, fail)
    pump.start()
    pump.post(work)
    assert busy.wait(60)
    assert calm.wait(60)
    pump.close()
