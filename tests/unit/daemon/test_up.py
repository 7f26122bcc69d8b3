import socket

import pytest

from ferryman.core.errors import Conflict, Invalid
from ferryman.daemon.up import _check_port, _free_port, _reachable, address_of


def test_addresses():
    assert address_of("127.0.0.1", 8470) == "http://127.0.0.1:8470"
    assert address_of("::1", 8470) == "http://[::1]:8470"
    assert [_reachable(host) for host in ("0.0.0.0", "::", "10.0.0.1")] == ["127.0.0.1", "::1", "10.0.0.1"]


def test_ports():
    free = _free_port("127.0.0.1")
    _check_port("127.0.0.1", free)
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(Conflict) as caught:
        _check_port("127.0.0.1", taken.getsockname()[1])
    assert caught.value.code == "port_busy"
    with pytest.raises(Invalid) as wrong:
        _check_port("no such host.invalid", 0)
    assert wrong.value.code == "host_invalid"
