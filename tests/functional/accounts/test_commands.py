"""`ferry users`, `tokens` and `audit` on a real home, with no daemon: words, JSON, exit codes, nothing half done."""

import io
import json
import re
import shutil
import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest

from ferryman.cli.start import run
from ferryman.core.layers import load_settings

PASSWORD = "correct horse battery"


class Terminal:
    """Runs commands in this process and reads what they print."""

    def __init__(self, capfd, monkeypatch):
        self._capfd, self._patch = capfd, monkeypatch

    def __call__(self, line, typed="", code=0):
        self._patch.setattr(sys, "stdin", io.StringIO(typed))
        self._capfd.readouterr()
        assert run(line.split()) == code
        self.out, self.err = self._capfd.readouterr()
        return self.out

    def json(self, line, typed="", code=0):
        answer = json.loads(self(f"{line} --json", typed, code))
        assert not self.err
        return answer


@pytest.fixture
def ferry(home, capfd, monkeypatch):
    return Terminal(capfd, monkeypatch)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """A home with the user maria, made once and copied by those who need it."""
    folder = tmp_path_factory.mktemp("prepared") / "home"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FERRY_HOME", str(folder))
        patch.setattr(sys, "stdin", io.StringIO(PASSWORD + "\n"))
        assert run(["users", "add", "maria", "--role", "member", "--password-stdin"]) == 0
    return folder


@pytest.fixture
def maria(ferry, home, prepared):
    shutil.copytree(prepared, home)
    return ferry.json("users list")["items"][0]


def everything(home):
    """All that the database holds."""
    with closing(sqlite3.connect(home / "ferry.db")) as database:
        tables = ("users", "tokens", "sessions", "audit", "audit_head")
        return [database.execute(f"select * from {table} order by 1").fetchall() for table in tables]


def tamper(home, statement):
    with closing(sqlite3.connect(home / "ferry.db", isolation_level=None)) as database:
        database.execute(statement)


def test_a_user_is_added_and_listed(ferry, home):
    assert (
        ferry("users add maria --role member --password-stdin", PASSWORD + "\nignored\n")
        == "Added maria as member.\n"
    )
    heading, row = ferry("users list").splitlines()
    assert heading.split() == ["NAME", "ROLE", "DISABLED", "LAST", "SIGN-IN", "ID"]
    assert row.split()[:4] == ["maria", "member", "no", "-"]
    (user,) = ferry.json("users list")["items"]
    assert re.fullmatch(r"20\d\d-.*T.*\.\d{3}Z", user["created_at"])
    assert user["temporary_password"] is False
    assert home.stat().st_mode & 0o777 == 0o700
    assert PASSWORD.encode() not in b"".join(file.read_bytes() for file in home.glob("ferry.db*"))


def test_a_made_password_stands_alone_on_standard_output(ferry):
    assert re.fullmatch(r"([a-z2-9]{4}-){4}[a-z2-9]{4}\n", ferry("users add bot --generate"))
    assert ferry.err == "Added bot as member.\n"
    made = ferry.json("users password bot --generate")
    assert made["temporary_password"] is True
    assert made["password"]


def test_a_user_is_changed_and_removed(ferry, maria):
    assert ferry.json("users role maria operator")["role"] == "operator"
    assert ferry.json("users disable maria")["disabled"] is True
    assert ferry.json(f"users enable {maria['id']}")["disabled"] is False
    ferry("users password maria --password-stdin", "another password\n")
    assert ferry.json("users remove maria --yes") == {"id": maria["id"], "name": "maria", "removed": True}
    assert ferry.json("users list") == {"items": []}


def test_a_token_is_created_shown_once_listed_and_revoked(ferry, maria):
    secret = ferry("tokens create ci --scope jobs:read --scope downloads:write --expires 90d").strip()
    assert re.fullmatch(r"ferry_[0-9A-Za-z]{43}", secret)
    assert secret not in ferry("tokens list")
    (token,) = ferry.json("tokens list --user maria")["items"]
    assert token["scopes"] == ["downloads:write", "jobs:read"]
    assert token["expires_at"]
    assert ferry.json(f"tokens revoke {token['id']}") == {"id": token["id"], "revoked": True}
    assert ferry("tokens list") == ""
    assert ferry.err == "There are no tokens.\n"


def test_with_several_users_a_token_needs_its_user(ferry, maria):
    ferry("users add bot --generate")
    assert ferry.json("tokens create ci --scope jobs:read", code=2)["code"] == "token_user"
    assert ferry.json("tokens create ci --user bot --scope jobs:read")["user"] == "bot"


def test_what_was_done_is_listed_and_proven(ferry, maria, home):
    ferry("users role maria viewer")
    items = ferry.json("audit list --action user --target maria")["items"]
    assert [item["action"] for item in items] == ["user.role", "user.create"]
    assert items[0]["actor"].startswith("local")
    page = ferry.json("audit list --limit 1")
    assert ferry.json(f"audit list --before {page['next_before']}")["items"][0]["id"] == 1
    proof = ferry.json("audit verify")
    assert proof["checked"] == 2
    ferry(f"audit verify --expect 2:{proof['head'].upper()}")
    assert ferry.json(f"audit verify --expect 1:{proof['head']}", code=1)["code"] == "audit_replaced"
    tamper(home, "update audit set target = 'eve' where id = 1")
    problem = ferry.json("audit verify", code=1)
    assert problem["code"] == "audit_broken"
    assert "Row 1" in problem["detail"]


def test_hostile_text_in_the_log_cannot_steer_the_terminal(ferry, maria, home):
    tamper(home, "update audit set target = '\x1b[2Jgone\nrow' where id = 1")
    assert "\\x1b[2Jgone\\nrow" in ferry("audit list")


@pytest.mark.parametrize(
    ("line", "typed", "code", "names"),
    [
        ("users add Maria --generate", "", 2, "'Maria'"),
        ("users add bob --role king --generate", "", 2, "'king'"),
        ("users add bob --password-stdin", "short\n", 2, "5 characters"),
        ("users add bob --password-stdin", "", 2, "0 characters"),
        ("users add bob", "", 2, "no terminal"),
        ("users add bob --generate --password-stdin", "x\n", 2, "together"),
        ("users add maria --generate", "", 1, "'maria'"),
        ("users add", "", 2, "NAME"),
        ("users role bob admin", "", 3, "'bob'"),
        ("users role maria", "", 2, "ROLE"),
        ("users password bob --generate", "", 3, "'bob'"),
        ("users disable bob", "", 3, "'bob'"),
        ("users enable bob", "", 3, "'bob'"),
        ("users remove bob --yes", "", 3, "'bob'"),
        ("users remove maria", "", 2, "no terminal"),
        ("users fly", "", 2, "fly"),
        ("users list --nope", "", 2, "--nope"),
        ("tokens list --user bob", "", 3, "'bob'"),
        ("tokens create ci --scope jobs:fly", "", 2, "'jobs:fly'"),
        ("tokens create ci", "", 2, "--scope"),
        ("tokens create ci --scope settings:write", "", 4, "settings:write"),
        ("tokens create ci --scope jobs:read --expires soon", "", 2, "'soon'"),
        ("tokens create ci --scope jobs:read --expires 9999999d", "", 2, "expire"),
        ("tokens revoke nothing", "", 3, "'nothing'"),
        ("audit list --limit 0", "", 2, "limit"),
        ("audit verify --expect 1:x", "", 2, "'1:x'"),
    ],
)
def test_what_is_wrong_is_named_with_its_remedy_and_changes_nothing(
    ferry, maria, home, line, typed, code, names
):
    before = everything(home)
    assert ferry(line, typed, code) == ""
    error, *advice = ferry.err.strip().splitlines()
    assert error.startswith("error: ")
    assert names in error
    assert advice
    assert ferry.json(line, typed, code)["exit_code"] == code
    assert everything(home) == before


def test_the_last_admin_stays(ferry):
    ferry("users add boss --role admin --generate")
    for line in ("users role boss member", "users disable boss", "users remove boss --yes"):
        assert ferry.json(line, code=1)["code"] == "last_admin"


@pytest.mark.parametrize(
    "line", ["users list", "users role a admin", "tokens list", "audit list", "audit verify"]
)
def test_without_a_home_nothing_is_made(ferry, home, line):
    assert ferry.json(line, code=3)["code"] == "home_not_found"
    assert str(home) in ferry.json(line, code=3)["detail"]
    assert not home.exists()


def test_a_database_that_does_not_answer_is_unreachable(ferry, monkeypatch, unused_tcp_port):
    monkeypatch.setenv("FERRY_DATABASE_URL", f"postgresql://nobody@127.0.0.1:{unused_tcp_port}/none")
    assert load_settings().database_url
    assert ferry.json("users list", code=5)["code"] == "database_unavailable"


def test_commands_at_the_same_time_do_not_lose_a_row(home, ferry, maria):
    command = [sys.executable, "-c", "import sys; from ferryman.cli import main; sys.exit(main())", "tokens"]

    def create(n):
        return subprocess.run(
            [*command, "create", f"t{n}", "--scope", "jobs:read"],
            check=False,
            capture_output=True,
            text=True,
            timeout=60,
        )

    with ThreadPoolExecutor(4) as pool:
        done = list(pool.map(create, range(4)))
    assert [each.returncode for each in done] == [0] * 4, done
    assert len(ferry.json("tokens list")["items"]) == 4
    assert ferry.json("audit verify")["checked"] == 5


@pytest.mark.parametrize("group", ["users", "tokens", "audit"])
def test_help_comes_with_every_group(ferry, group):
    ferry(f"{group} --help")
    assert f"Usage: ferry {group}" in ferry.out


def test_a_password_is_asked_for_twice_on_a_terminal_and_not_shown(home):
    program = (
        f'"{sys.executable}" -c "from ferryman.cli import main; raise SystemExit(main())" users add maria'
    )
    with subprocess.Popen(
        ["script", "-qec", program, "/dev/null"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        bufsize=1,
    ) as terminal:
        seen = ""
        for asked in ("Password for maria: ", "Repeat for confirmation: "):
            while not seen.endswith(asked):
                character = terminal.stdout.read(1)
                assert character, seen
                seen += character
            terminal.stdin.write(PASSWORD + "\n")
            terminal.stdin.flush()
        seen += terminal.stdout.read()
        assert terminal.wait(60) == 0, seen
    assert "Added maria as member." in seen
    assert PASSWORD not in seen
