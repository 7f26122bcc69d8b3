"""What holds for every value of the core."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ferryman.core import units
from ferryman.core.clock import rfc3339
from ferryman.core.digests import HEX_LENGTHS, Digest
from ferryman.core.errors import Corrupt, FerryError, Invalid
from ferryman.core.ids import is_id, new_id
from ferryman.core.paths import join_within
from ferryman.core.secrets import SecretBox, mask

TIMES = st.floats(0, 4e9)
TOKENS = st.text("abcdefXYZ0123456789", min_size=16, max_size=60)


@given(TIMES, TIMES)
def test_ids_sort_as_their_times(one, other):
    first, second = sorted((one, other))
    assert is_id(new_id(first))
    if int(first * 1000) < int(second * 1000):
        assert new_id(first) < new_id(second)


@given(TIMES, TIMES)
def test_times_sort_as_text(one, other):
    first, second = sorted((one, other))
    assert rfc3339(first) <= rfc3339(second)


@given(st.sampled_from(sorted(HEX_LENGTHS)), st.data())
def test_digests_survive_being_written(algorithm, data):
    size = HEX_LENGTHS[algorithm]
    value = data.draw(st.text("0123456789abcdefABCDEF", min_size=size, max_size=size))
    digest = Digest.parse(f"{algorithm}:{value}")
    assert Digest.parse(str(digest)) == digest
    assert digest.matches(value)


@given(st.text())
def test_any_text_is_a_value_or_a_clear_error(text):
    for parse in (units.parse_size, units.parse_rate, units.parse_duration, Digest.parse):
        try:
            parse(text)
        except FerryError as error:
            assert isinstance(error, Invalid)  # noqa: PT017 - either outcome is right


@given(st.integers(0, 10**15 - 1), st.sampled_from(["", "B", "b", " B"]))
def test_sizes_in_bytes_are_exact(count, unit):
    assert units.parse_size(f"{count}{unit}") == count


@given(st.floats(0, 1e16))
def test_printed_sizes_read_back_nearly_the_same(count):
    shown = units.format_size(count)
    assert units.parse_size(shown) == pytest.approx(count, rel=0.06, abs=0.6)
    assert len(shown) <= 12


@given(st.integers(0, 99), st.integers(0, 99), st.integers(0, 99), st.integers(0, 99))
def test_durations_add_up(days, hours, minutes, seconds):
    text = f"{days}d{hours}h{minutes}m{seconds}s"
    assert units.parse_duration(text) == days * 86400 + hours * 3600 + minutes * 60 + seconds


@given(st.one_of(st.none(), st.floats()))
def test_a_remaining_time_can_always_be_said(seconds):
    assert units.format_eta(seconds)


@given(st.one_of(st.text(), st.lists(st.sampled_from(["a", "..", ".", "", "/", "b\0"])).map("/".join)))
def test_no_path_leaves_its_root(outside):
    root = Path("/nonexistent/root")
    try:
        joined = join_within(root, outside)
    except Invalid as error:
        assert error.code == "path_escapes"  # noqa: PT017 - either outcome is right
    else:
        assert joined.is_relative_to(root)


@given(text=st.text(), context=st.text(max_size=20))
def test_every_text_can_be_sealed(tmp_path, text, context):
    box = SecretBox(tmp_path / "secret.key")
    sealed = box.seal(text, context)
    assert sealed.isascii()
    assert box.open(sealed, context) == text


@given(sealed=st.text().map(lambda text: f"v1:{text}"))
def test_nothing_made_elsewhere_opens(tmp_path, sealed):
    with pytest.raises(Corrupt):
        SecretBox(tmp_path / "secret.key").open(sealed)


@given(st.text())
def test_masking_twice_is_masking_once(text):
    assert mask(mask(text)) == mask(text)


@given(
    st.text("abc /&?=:\"'\n", max_size=20),
    TOKENS,
    st.sampled_from(
        [
            "Authorization: Bearer {}",
            "authorization: {}",
            "https://user:{}@host/x",
            "https://h/?token={}&a=b",
            '"api_key": "{}"',
            "ferry_{}",
            "Cookie: sid={}",
        ]
    ),
)
def test_a_secret_in_a_known_form_never_shows(before, secret, form):
    assert secret not in mask(before + "\n" + form.format(secret))
