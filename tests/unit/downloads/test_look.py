"""How people name models, and what a configuration says about one."""

import pytest

from ferryman.core.errors import Invalid
from ferryman.downloads.models.look import facts_of, named


@pytest.mark.parametrize(
    ("text", "reference"),
    [
        ("llama3.2:1b", "registry.ollama.ai/library/llama3.2:1b"),
        ("ollama:llama3.2", "registry.ollama.ai/library/llama3.2:latest"),
        (" ollama pull me/tiny ", "registry.ollama.ai/me/tiny:latest"),
        ("ollama run llama3.2:1b", "registry.ollama.ai/library/llama3.2:1b"),
        ("docker://models.example:5000/me/tiny:q4", "models.example:5000/me/tiny:q4"),
    ],
)
def test_names_are_read_as_people_paste_them(text: str, reference: str) -> None:
    assert str(named(text)) == reference


@pytest.mark.parametrize("text", ["", "a//b", "ollama:", "https://ollama.com/library/x", "x y", "a/b/c/d"])
def test_what_names_no_model_is_said(text: str) -> None:
    with pytest.raises(Invalid) as refused:
        named(text)
    assert refused.value.code == "model_invalid"


def test_the_facts_of_a_configuration_are_told_in_words() -> None:
    text = '{"model_family": "llama", "model_type": "1.2B", "file_type": "Q8_0", "rootfs": {}, "model_format": 7}'
    assert facts_of(text) == [("Family", "llama"), ("Parameters", "1.2B"), ("Quantization", "Q8_0")]


@pytest.mark.parametrize("text", ["", "[]", "{", "[" * 5000, "null", '"x"'])
def test_a_configuration_that_cannot_be_read_says_nothing(text: str) -> None:
    assert facts_of(text) == []
