"""Joining paths from outside never leaves the root."""

import pytest

from ferryman.core.errors import Invalid
from ferryman.core.paths import join_within


@pytest.mark.parametrize("outside", ["a", "a/b.iso", "./a", "a//b", "ünï/文", "...", "a..b", "a/./b"])
def test_paths_below_the_root_are_joined(tmp_path, outside):
    joined = join_within(tmp_path, outside)
    assert joined == (tmp_path / outside).resolve()
    assert joined.is_relative_to(tmp_path)


@pytest.mark.parametrize(
    "outside", ["", "/etc/passwd", "..", "../x", "a/../../x", "a/..", "a\0b", "//x", "a/../b"]
)
def test_paths_that_climb_are_refused_by_name(tmp_path, outside):
    with pytest.raises(Invalid) as caught:
        join_within(tmp_path, outside)
    assert caught.value.code == "path_escapes"
    assert repr(outside[:200]) in caught.value.message


def test_links_that_lead_out_are_refused_and_those_within_are_not(tmp_path):
    root, other = tmp_path / "root", tmp_path / "other"
    root.mkdir()
    other.mkdir()
    (root / "in").mkdir()
    (root / "good").symlink_to(root / "in")
    (root / "bad").symlink_to(other)
    assert join_within(root, "good/x") == root / "in" / "x"
    with pytest.raises(Invalid):
        join_within(root, "bad/x")


def test_links_in_a_circle_are_refused(tmp_path):
    (tmp_path / "a").symlink_to(tmp_path / "b")
    (tmp_path / "b").symlink_to(tmp_path / "a")
    with pytest.raises(Invalid):
        join_within(tmp_path, "a/x")


def test_a_root_that_is_itself_a_link_works(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    assert join_within(tmp_path / "link", "x") == tmp_path / "real" / "x"
