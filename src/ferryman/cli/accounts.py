"""`ferry users`, `ferry tokens` and `ferry audit`: accounts of this home, also while no daemon runs.

They open the database directly: whoever may read the home folder is trusted with everything in it.
"""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from ferryman.accounts.model import (
    SCOPES,
    Token,
    User,
    check_user_name,
    parse_role,
    token_to_dict,
    user_to_dict,
)
from ferryman.cli.local import actor, confirm, new_password_for, on_accounts
from ferryman.cli.output import line, note, print_json, table
from ferryman.core.clock import SystemClock, rfc3339
from ferryman.core.errors import Corrupt, Invalid
from ferryman.core.units import parse_duration

if TYPE_CHECKING:  # the service needs the database and Argon2, which help and completion must not wait for
    from ferryman.accounts.audit import Audit
    from ferryman.accounts.service import Accounts

_Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
_Name = Annotated[str, typer.Argument(metavar="NAME", help="Name or id of the user.")]
_Stdin = Annotated[
    bool, typer.Option("--password-stdin", help="Read the password from the first line of standard input.")
]
_Generate = Annotated[bool, typer.Option("--generate", help="Make a random password and print it once.")]


def users_app() -> typer.Typer:
    """Return the commands of `ferry users`."""
    app = typer.Typer(help="People who may sign in.", no_args_is_help=True)
    app.command("list", epilog="Example:\n\nferry users list --json")(list_users)
    app.command(
        "add", epilog="Examples:\n\nferry users add maria --role member\n\nferry users add bot --generate"
    )(add_user)
    app.command("role", epilog="Example:\n\nferry users role maria operator")(set_role)
    app.command(
        "password", epilog="Examples:\n\nferry users password maria\n\nferry users password admin --generate"
    )(set_password)
    app.command("disable", epilog="Example:\n\nferry users disable maria")(disable_user)
    app.command("enable", epilog="Example:\n\nferry users enable maria")(enable_user)
    app.command("remove", epilog="Example:\n\nferry users remove maria --yes")(remove_user)
    return app


def tokens_app() -> typer.Typer:
    """Return the commands of `ferry tokens`."""
    app = typer.Typer(help="API tokens of programs.", no_args_is_help=True)
    app.command("list", epilog="Example:\n\nferry tokens list --user maria")(list_tokens)
    app.command(
        "create",
        epilog="Example:\n\nferry tokens create ci --user maria --scope downloads:write --scope jobs:read --expires 90d",
    )(create_token)
    app.command("revoke", epilog="Example:\n\nferry tokens revoke 019aba3e-6c3f-7cc4-9d3e-0f2c5f6b7a81")(
        revoke_token
    )
    return app


def audit_app() -> typer.Typer:
    """Return the commands of `ferry audit`."""
    app = typer.Typer(help="Who did what, and proof that the record is whole.", no_args_is_help=True)
    app.command("list", epilog="Example:\n\nferry audit list --actor maria --action user --limit 20")(
        list_audit
    )
    app.command("verify", epilog="Example:\n\nferry audit verify")(verify_audit)
    return app


def list_users(json: _Json = False) -> None:
    """List everybody who has an account."""
    users = [_shown(user) for user in on_accounts(lambda accounts, _audit: accounts.users())]
    _list(
        users,
        {"name": "NAME", "role": "ROLE", "disabled": "DISABLED", "last_login_at": "LAST SIGN-IN", "id": "ID"},
        json=json,
        empty="Nobody has an account. Add somebody: ferry users add NAME --role admin",
    )


def add_user(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Lower-case name to sign in with.")],
    role: Annotated[str, typer.Option(help="One of viewer, member, operator, admin.")] = "member",
    password_stdin: _Stdin = False,
    generate: _Generate = False,
    json: _Json = False,
) -> None:
    """Add somebody, with a password that is asked for, read or made."""
    chosen = parse_role(role)
    check_user_name(name)
    password = new_password_for(name, read=password_stdin, make=generate)
    user = on_accounts(
        lambda accounts, _audit: accounts.create_user(
            name, password, chosen, actor=actor(), temporary=generate
        ),
        create=True,
    )
    shown = {**_shown(user), **({"password": password} if generate else {})}
    _done(shown, f"Added {user.name} as {user.role}.", json=json, secret=password if generate else "")


def set_role(
    name: _Name,
    role: Annotated[str, typer.Argument(metavar="ROLE", help="One of viewer, member, operator, admin.")],
    json: _Json = False,
) -> None:
    """Give somebody another role, effective at once."""
    chosen = parse_role(role)
    user = on_accounts(lambda accounts, _audit: accounts.set_role(name, chosen, actor=actor()))
    _done(_shown(user), f"{user.name} is {user.role} now.", json=json)


def set_password(
    name: _Name, password_stdin: _Stdin = False, generate: _Generate = False, json: _Json = False
) -> None:
    """Set somebody's password and end all their sessions."""
    password = new_password_for(name, read=password_stdin, make=generate)
    user = on_accounts(
        lambda accounts, _audit: accounts.set_password(name, password, actor=actor(), temporary=generate)
    )
    shown = {**_shown(user), **({"password": password} if generate else {})}
    _done(
        shown,
        f"{user.name} has a new password; their sessions are ended.",
        json=json,
        secret=password if generate else "",
    )


def disable_user(name: _Name, json: _Json = False) -> None:
    """Refuse somebody's password and tokens, and end their sessions."""
    user = on_accounts(lambda accounts, _audit: accounts.disable(name, actor=actor()))
    _done(
        _shown(user),
        f"{user.name} is disabled; undo with: ferry users enable {user.name}",
        json=json,
    )


def enable_user(name: _Name, json: _Json = False) -> None:
    """Let a disabled user in again."""
    user = on_accounts(lambda accounts, _audit: accounts.enable(name, actor=actor()))
    _done(_shown(user), f"{user.name} may sign in again.", json=json)


def remove_user(
    name: _Name,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    json: _Json = False,
) -> None:
    """Remove somebody with all their tokens and sessions. Their jobs stay."""
    if not yes:
        confirm(f"Remove the user {name} with all tokens and sessions")

    async def remove(accounts: "Accounts", _audit: "Audit") -> User:
        user = await accounts.user(name)
        await accounts.delete_user(user.id, actor=actor())
        return user

    user = on_accounts(remove)
    _done({"id": user.id, "name": user.name, "removed": True}, f"{user.name} is removed.", json=json)


def list_tokens(
    user: Annotated[str | None, typer.Option(metavar="NAME", help="Only tokens of this user.")] = None,
    json: _Json = False,
) -> None:
    """List API tokens, the newest first, without their secrets."""
    tokens = on_accounts(lambda accounts, _audit: accounts.tokens(user))
    _list(
        [_readable(token_to_dict(token)) for token in tokens],
        {
            "user": "USER",
            "name": "NAME",
            "scopes": "SCOPES",
            "expires_at": "EXPIRES",
            "last_used_at": "LAST USED",
            "hint": "BEGINS WITH",
            "id": "ID",
        },
        json=json,
        empty="There are no tokens.",
    )


def create_token(
    name: Annotated[str, typer.Argument(metavar="NAME", help="What the token is for.")],
    scope: Annotated[
        list[str], typer.Option(help=f"What it may do; repeat for several: {', '.join(SCOPES)}.")
    ],
    user: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Whose token it is; needed when there are several users."),
    ] = None,
    expires: Annotated[
        str | None,
        typer.Option(
            metavar="DURATION", help="How long it is valid, such as 12h or 90d; for good when left out."
        ),
    ] = None,
    json: _Json = False,
) -> None:
    """Create an API token and print its secret, this once."""
    seconds = None if expires is None else parse_duration(expires)

    async def create(accounts: "Accounts", _audit: "Audit") -> tuple[Token, str]:
        owner = user or await _only_user(accounts)
        until = None if seconds is None else SystemClock().now() + seconds
        return await accounts.create_token(owner, name, scope, until, actor=actor())

    token, secret = on_accounts(create)
    _done(
        {**_readable(token_to_dict(token)), "secret": secret},
        f"Token {token.name} of {token.user_name}. It is shown only now:",
        json=json,
        secret=secret,
    )


def revoke_token(
    token: Annotated[str, typer.Argument(metavar="ID", help="Id of the token, from `ferry tokens list`.")],
    json: _Json = False,
) -> None:
    """Revoke a token, effective at once."""
    on_accounts(lambda accounts, _audit: accounts.revoke_token(token, actor=actor()))
    _done({"id": token, "revoked": True}, "The token is revoked.", json=json)


def list_audit(
    *,
    actor: Annotated[str, typer.Option(metavar="NAME", help="Only what this user did.")] = "",
    action: Annotated[str, typer.Option(help="Only this action, or an area such as `user`.")] = "",
    target: Annotated[str, typer.Option(help="Only what was done to this.")] = "",
    before: Annotated[int | None, typer.Option(metavar="ID", help="Only older rows than this one.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=500, help="Most rows to print.")] = 50,
    json: _Json = False,
) -> None:
    """List who did what, the newest first."""

    async def rows(_accounts: "Accounts", audit: "Audit") -> tuple[list[dict[str, Any]], int | None]:
        from ferryman.accounts.audit import AuditQuery, audit_row_to_dict  # noqa: PLC0415 - slow to import

        query = AuditQuery(actor=actor, action=action, target=target, before=before, limit=limit)
        page = await audit.list(query)
        return [audit_row_to_dict(row) for row in page.items], page.next_before

    items, next_before = on_accounts(rows)
    columns = {"id": "ID", "at": "WHEN", "actor": "WHO", "via": "VIA", "action": "ACTION", "target": "TARGET"}
    _list(items, columns, json=json, empty="Nothing is recorded.", next_before=next_before)


def verify_audit(
    expect: Annotated[
        str | None,
        typer.Option(metavar="ID:HASH", help="Also check that row ID has this hash, kept from earlier."),
    ] = None,
    json: _Json = False,
) -> None:
    """Check that no row of the audit log was changed, removed or moved."""
    wanted = None if expect is None else _expectation(expect)

    async def verify(_accounts: "Accounts", audit: "Audit") -> tuple[int, str]:
        found = await audit.inspect()
        if found.broken is not None:
            raise Corrupt(
                "audit_broken",
                f"Row {found.broken} of the audit log was changed, removed or moved; "
                f"{found.checked} rows are whole.",
                advice="Compare with a backup of the database; what is recorded from that row on is not proven.",
            )
        if wanted and await audit.hash_of(wanted[0]) != wanted[1]:
            raise Corrupt(
                "audit_replaced",
                f"Row {wanted[0]} of the audit log does not have the hash that was kept.",
                advice="Compare with a backup of the database; what is recorded up to that row is not proven.",
            )
        return found.checked, found.head

    checked, head = on_accounts(verify)
    said = f"All {checked} rows are whole. Keep this elsewhere to prove it later: {checked}:{head}"
    _done({"checked": checked, "head": head, "broken": None}, said, json=json)


async def _only_user(accounts: "Accounts") -> str:
    users = await accounts.users()
    if len(users) != 1:
        raise Invalid(
            "token_user",
            f"There are {len(users)} users, and the command does not say whose token it is.",
            advice="Name the user with --user.",
            fields={"user": "is needed"},
        )
    return users[0].id


def _expectation(text: str) -> tuple[int, str]:
    row, _, value = text.strip().partition(":")
    if not (row.isascii() and row.isdigit() and len(row) < 10 and len(value) == 64):
        raise Invalid(
            "audit_expectation",
            f"'{text[:120]}' is not a row with its hash.",
            advice="Write ID:HASH as 'ferry audit verify' printed it.",
        )
    return int(row), value.lower()


def _readable(values: dict[str, Any]) -> dict[str, Any]:
    """Return `values` with times as RFC 3339, as the API has them."""
    return {
        key: rfc3339(value) if key.endswith("_at") and value is not None else value
        for key, value in values.items()
    }


def _list(
    items: list[dict[str, Any]], columns: dict[str, str], *, json: bool, empty: str, **more: int | None
) -> None:
    """Print rows in columns, or all of them and what `more` says as JSON."""
    if json:
        print_json({"items": items, **more})
    elif items:
        table(items, columns)
    else:
        note(empty)


def _done(values: dict[str, Any], said: str, *, json: bool, secret: str = "") -> None:
    """Print what was done; a secret stands alone on standard output, so that it can be piped on."""
    if json:
        print_json(values)
    elif secret:
        note(said)
        line(secret)
    else:
        line(said)


def _shown(user: User) -> dict[str, Any]:
    return _readable(user_to_dict(user))
