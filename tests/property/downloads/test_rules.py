"""Whatever a rule and an address say, the folder stays below the download folder."""

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from ferryman.core.errors import FerryError
from ferryman.core.paths import join_within
from ferryman.downloads.rules.match import check_rule, folder_of
from ferryman.downloads.rules.model import Facts, RuleBody

PLAIN = st.text(
    st.characters(min_codepoint=32, exclude_characters="\x7f", exclude_categories=["Cs"]), max_size=30
)
FOLDERS = st.lists(
    st.sampled_from(["{host}", "{category}", "{extension}", "{date}", "a", "..", "/", "{x}", "{", "}", " "]),
    max_size=6,
).map("".join)


@given(FOLDERS, PLAIN.filter(bool), PLAIN, PLAIN)
def test_no_folder_leads_out(folder, name, category, host):
    try:
        body = check_rule(RuleBody(name="r", folder=folder, category=category))
    except FerryError:
        return
    made = folder_of(body, Facts("http://h/a", name, host), 0.0)
    if made:
        root = Path("/somewhere/downloads")
        assert join_within(root, made).is_relative_to(root)
