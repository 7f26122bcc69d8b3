import subprocess
import sys

import pytest

from ferryman.jobs.holder import holder_name, is_dead


def test_this_process_lives_and_each_holder_has_its_own_name():
    one, two = holder_name(), holder_name()
    assert one != two
    assert not is_dead(one)
    assert len(one) <= 200


def test_a_process_that_ended_is_dead_and_so_is_another_one_with_its_id():
    program = "from ferryman.jobs.holder import holder_name; print(holder_name())"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert is_dead(done.stdout.strip())
    host, scope, pid, _ = holder_name().rpartition("#")[0].split(":")
    assert is_dead(f"{host}:{scope}:{pid}:1#00")


@pytest.mark.parametrize("change", [0, 1])
def test_of_another_host_boot_or_container_nothing_is_known(change):
    parts = holder_name().rpartition("#")[0].split(":")
    parts[2], parts[3] = "999999", "1"
    assert is_dead(":".join(parts) + "#00")
    parts[change] = "other"
    assert not is_dead(":".join(parts) + "#00")


@pytest.mark.parametrize("name", ["", "w1", "a:b", ":::#", "a:b:c:d#e", "\0"])
def test_what_is_no_name_of_ours_is_not_dead(name):
    assert not is_dead(name)
