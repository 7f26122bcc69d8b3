"""Users: `/api/v1/users`. Reading needs `users:read`, changing `users:write`."""

from typing import Annotated

from fastapi import APIRouter, Path
from pydantic import BaseModel, Field

from ferryman.accounts.model import Principal, Role, User
from ferryman.accounts.service import Accounts
from ferryman.console.api_session import NewPassword
from ferryman.web.auth import allow
from ferryman.web.shapes import Listed, Moment, Strict, moment

Reader = Annotated[Principal, allow("users:read")]
Writer = Annotated[Principal, allow("users:write")]
UserName = Annotated[
    str, Path(max_length=100, pattern=r"^[^\x00-\x1f\x7f]+$", description="Name or id of the user.")
]


class UserView(BaseModel):
    """A user without anything secret."""

    id: str
    name: str
    role: Role
    disabled: bool
    temporary_password: bool = Field(description="The password was made by Ferryman or an admin.")
    created_at: Moment
    updated_at: Moment
    last_login_at: Moment | None


class NewUser(Strict):
    """A user to create."""

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9._-]{0,63}$")]
    password: NewPassword
    role: Role = Role.MEMBER


class UserChange(Strict):
    """What to change; what is left out stays."""

    role: Role | None = None
    disabled: bool | None = None


class PasswordSet(Strict):
    """The password the user gets until they choose another."""

    password: NewPassword


def user_view(user: User) -> UserView:
    """Return `user` as the API shows it."""
    return UserView(
        id=user.id,
        name=user.name,
        role=user.role,
        disabled=user.disabled,
        temporary_password=user.temporary_password,
        created_at=moment(user.created_at),
        updated_at=moment(user.updated_at),
        last_login_at=moment(user.last_login_at),
    )


def router(accounts: Accounts) -> APIRouter:
    """Return the routes of users."""
    routes = APIRouter(prefix="/users", tags=["users"])

    @routes.get("")
    async def list_users(_caller: Reader) -> Listed[UserView]:
        """List all users by name; there are few, so it is one page."""
        return Listed(items=[user_view(user) for user in await accounts.users()], next_cursor=None)

    @routes.post("", status_code=201)
    async def create_user(caller: Writer, body: NewUser) -> UserView:
        """Create a user; the password counts as temporary."""
        user = await accounts.create_user(body.name, body.password, body.role, actor=caller, temporary=True)
        return user_view(user)

    @routes.get("/{user}")
    async def get_user(_caller: Reader, user: UserName) -> UserView:
        """Show a user."""
        return user_view(await accounts.user(user))

    @routes.patch("/{user}")
    async def change_user(caller: Writer, user: UserName, body: UserChange) -> UserView:
        """Change the role of a user, or refuse or allow them to sign in."""
        found = await accounts.user(user)
        if body.role is not None and body.role is not found.role:
            found = await accounts.set_role(found.id, body.role, actor=caller)
        if body.disabled is not None and body.disabled is not found.disabled:
            change = accounts.disable if body.disabled else accounts.enable
            found = await change(found.id, actor=caller)
        return user_view(found)

    @routes.delete("/{user}", status_code=204)
    async def delete_user(caller: Writer, user: UserName) -> None:
        """Delete a user with all tokens and sessions."""
        await accounts.delete_user(user, actor=caller)

    @routes.post("/{user}/password", status_code=204)
    async def set_password(caller: Writer, user: UserName, body: PasswordSet) -> None:
        """Set the password of a user and end their sessions."""
        await accounts.set_password(user, body.password, actor=caller, temporary=True)

    return routes
