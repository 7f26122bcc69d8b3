from pathlib import Path
from types import SimpleNamespace

import pytest
from jinja2 import UndefinedError
from starlette.requests import Request

from ferryman.accounts.model import Role
from ferryman.web.auth import Identity
from ferryman.web.pages import Renderer, asset
from ferryman.web.part import NavItem

from .conftest import principal


def request(role: Role | None = Role.MEMBER) -> Request:
    made = Request(
        {"type": "http", "method": "GET", "path": "/here", "query_string": b"", "headers": [], "state": {}}
    )
    made.state.identity = Identity(principal(role), "proof") if role else None
    return made


def renderer(folder: Path, text: str) -> Renderer:
    (folder / "unit.html").write_text(text)
    return Renderer(
        [folder], [NavItem("Jobs", "/jobs"), NavItem("Users", "/users", scope="users:read")], "1.2.3"
    )


def test_what_comes_from_outside_is_escaped(tmp_path):
    page = renderer(tmp_path, "{{ title }}").page(request(), "unit.html", title="<script>")
    assert page.body == b"&lt;script&gt;"


def test_the_navigation_shows_what_the_caller_may_see(tmp_path):
    made = renderer(
        tmp_path,
        "{% for item in nav %}{{ item.label }} {% endfor %}{{ csrf }} {{ principal.name }} {{ path }}",
    )
    assert made.text(request(), "unit.html") == "Jobs proof ann /here"
    assert made.text(request(Role.ADMIN), "unit.html").startswith("Jobs Users")


def test_a_page_for_nobody_has_no_principal(tmp_path):
    made = renderer(tmp_path, "{{ nav|length }}{{ csrf }}{{ 'none' if principal is none }}")
    assert made.text(request(None), "unit.html") == "0none"


def test_an_unknown_name_is_an_error(tmp_path):
    with pytest.raises(UndefinedError):
        renderer(tmp_path, "{{ misspelt }}").text(request(), "unit.html")


def test_filters_print_what_people_read(tmp_path):
    made = renderer(
        tmp_path,
        "{{ 1536|size }} {{ none|size }} {{ 2048|rate }} {{ 200|eta }} {{ 12|duration }} {{ 0|time }} {{ 0|minutes }}",
    )
    assert made.text(request(), "unit.html") == (
        "1.5 KiB — 2.0 KiB/s about 3 min 12 s 1970-01-01T00:00:00.000Z 1970-01-01 00:00"
    )


def test_there_is_or_is_not_such_a_template(tmp_path):
    made = renderer(tmp_path, "")
    assert made.has("unit.html")
    assert not made.has("nothing-like-it.html")


def test_an_asset_that_is_not_built_has_an_address_all_the_same():
    assert asset("no-such-file.js") == "/static/no-such-file.js"
    assert SimpleNamespace(path=asset("../pages.py")).path.startswith("/static/")
