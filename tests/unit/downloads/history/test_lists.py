"""Lists as they are written and read back."""

import csv
import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ferryman.core.errors import Invalid
from ferryman.downloads.history.export import Form, written
from ferryman.downloads.history.model import COLUMNS, cells_of, guarded, record_of, unguarded
from ferryman.downloads.history.reading import ListForm, form_of, read_exported
from ferryman.jobs.model import Desired, Job, State

words = st.text(max_size=30)


def job(title="a", **more):
    spec = {"urls": ["https://example.org/a"], "name": None, "folder": "", "checksum": None} | more
    return Job("id", "download", title, spec, State.SUCCEEDED, Desired.RUN, 5, 1.0, 1.0, 1.0)


async def text_of(jobs, form):
    async def each():
        for one in jobs:
            yield one

    return "".join([piece async for piece in written(each(), form)])


@given(words)
def test_no_cell_is_a_formula_and_nothing_is_lost(text):
    assert not guarded(text).startswith(("=", "+", "-", "@", "\t", "\r"))
    if not text.startswith("'"):
        assert unguarded(guarded(text)) == text


@given(st.lists(words, max_size=5))
def test_rows_are_read_back_as_they_were(titles):
    rows = io.StringIO()
    csv.writer(rows).writerows([cells_of(record_of(job(title))) for title in titles])
    back = list(csv.reader(io.StringIO(rows.getvalue(), newline="")))
    assert [len(row) for row in back] == [len(COLUMNS)] * len(titles)


@pytest.mark.parametrize("number", [0, 1, 199, 200, 201, 401])
@pytest.mark.parametrize("form", list(Form))
async def test_a_list_of_any_length_is_whole(number, form):
    text = await text_of([job(f"t{n}") for n in range(number)], form)
    if form is Form.JSON:
        titles = [item["title"] for item in json.loads(text)["items"]]
    else:
        titles = [row["title"] for row in csv.DictReader(io.StringIO(text))]
    assert titles == [f"t{n}" for n in range(number)]


@pytest.mark.parametrize("form", list(Form))
async def test_secrets_stay_behind(form):
    jobs = [job(urls=["https://user:hunter2@example.org/a?token=hunter2"], password="hunter2")]
    assert "hunter2" not in await text_of(jobs, form)


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ('{"items": []}', ListForm.JSON),
        (' \n["https://a.example"]', ListForm.JSON),
        ("\ufeffid,urls\n", ListForm.CSV),
        ('"url"\n', ListForm.TEXT),
        ("URL,name\n", ListForm.CSV),
        ("https://a.example/urls,x\n", ListForm.TEXT),
        ("# urls\n", ListForm.TEXT),
    ],
)
def test_the_form_of_a_list_is_guessed(text, form):
    assert form_of(text) is form


def test_wrong_lines_have_their_numbers_also_behind_cells_of_several_lines():
    text = 'urls,name\nhttps://a.example/1,"two\nlines"\n,lost\nhttps://a.example/2,\n'
    read = read_exported(text, ListForm.AUTO)
    assert [(one.line, one.field) for one in read.wrong] == [(2, "name"), (4, "urls")]
    assert read.lines == [5]


@given(st.text(max_size=200), st.sampled_from(list(ListForm)))
def test_any_text_is_read_or_refused(text, form):
    try:
        read = read_exported(text, form)
    except Invalid as error:
        said: object = error.fields
    else:
        said = read.entries or read.wrong or read.text
    assert said


@given(st.recursive(st.none() | st.booleans() | st.integers() | words, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["urls", "url", "name", "folder", "checksum", "category", "items"]), inner, max_size=4), max_leaves=12))  # fmt: skip
def test_any_json_is_read_or_refused(value):
    try:
        read = read_exported(json.dumps([value]), ListForm.JSON)
    except Invalid:
        return
    assert len(read.entries) + len(read.wrong) == 1
