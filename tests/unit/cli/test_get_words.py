import pytest

from ferryman.cli.get_words import EXAMPLES, OPTIONS, read_words
from ferryman.core.errors import Invalid


def test_sources_and_options_may_be_mixed():
    words = read_words(["http://a", "-o", "x/", "http://b", "--header=A: b", "-HC: d", "--json", "-kq"])
    assert words.sources == ("http://a", "http://b")
    assert words.value("output") == "x/"
    assert words.all("header") == ("A: b", "C: d")
    assert words.has("json")
    assert words.has("insecure")
    assert words.has("quiet")
    assert words.value("limit") is None
    assert words.all("mirror") == ()


def test_the_last_of_several_values_counts():
    assert read_words(["-c", "2", "-c", "3"]).value("connections") == "3"


def test_two_dashes_end_the_options():
    assert read_words(["--", "--json"]).sources == ("--json",)


@pytest.mark.parametrize("words", [["--nope"], ["-z"], ["-o"], ["--json=yes"], ["--co", "1"]])
def test_what_is_no_option_is_named(words):
    with pytest.raises(Invalid) as caught:
        read_words(words)
    assert caught.value.code == "usage"
    assert words[0].partition("=")[0] in caught.value.message
    assert "ferry get --help" in caught.value.advice


def test_every_option_has_one_long_spelling_and_help():
    flags = [flag for option in OPTIONS for flag in option.flags]
    assert len(flags) == len(set(flags))
    for option in OPTIONS:
        assert f"--{option.name}" in option.flags
        assert option.help.endswith(".")
        assert not option.many or option.metavar


def test_every_example_can_be_read():
    for example in EXAMPLES:
        assert read_words(example.split()[2:])
