"""Every setting says what people need: what it is, where it stands, when a change takes effect, what it takes."""

import pytest

from ferryman.core.settings import Kind, Section, Settings, meta_of


@pytest.mark.parametrize("name", Settings.model_fields)
def test_a_setting_is_described(name):
    field = Settings.model_fields[name]
    assert isinstance(field.json_schema_extra, dict), f"{name}: declare it with setting()"
    meta = meta_of(name)
    assert isinstance(meta.section, Section)
    assert isinstance(meta.live, bool)
    assert len(meta.description) > 10
    assert meta.description.endswith(".")
    assert meta.label[0].isupper()
    if meta.kind is Kind.NUMBER:
        assert meta.minimum is not None, f"{name}: give ge="
        assert meta.maximum is not None, f"{name}: give le="
    if meta.secret:
        assert not meta.default, f"{name}: a secret has no default"
    assert not (meta.machine and meta.live), f"{name}: what is set on the machine only waits for a start"


def test_a_default_is_valid_by_itself():
    defaults = {name: meta_of(name).default for name in Settings.model_fields}
    assert Settings.model_validate(defaults) == Settings.model_validate(defaults)


def test_every_section_has_settings():
    assert {meta_of(name).section for name in Settings.model_fields} == set(Section)
