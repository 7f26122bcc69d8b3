"""Access that lets everybody do everything, and access that knows a few names."""

from ferryman.registry.ports import Action, Decision, Headers


class OpenAccess:
    """Everybody may do everything."""

    def known(self, authorization: bytes | None, repository: str, action: Action, /) -> Decision | None:
        return Decision(True, "tester")

    async def decide(
        self, headers: Headers, repository: str, action: Action, /, *, client: str = ""
    ) -> Decision:
        return Decision(True, "tester")


class NamedAccess:
    """`Authorization: Name NAME` says who it is; `rights` maps names to allowed (repository, action) pairs."""

    def __init__(self, rights: dict[str, set[tuple[str, str]]], *, memory: bool = False) -> None:
        self.rights, self.memory = rights, memory
        self.asked: list[tuple[str, str]] = []

    def known(self, authorization: bytes | None, repository: str, action: Action, /) -> Decision | None:
        return self._decision(authorization, repository, action) if self.memory else None

    async def decide(
        self, headers: Headers, repository: str, action: Action, /, *, client: str = ""
    ) -> Decision:
        return self._decision(dict(headers).get(b"authorization"), repository, action)

    def _decision(self, authorization: bytes | None, repository: str, action: Action) -> Decision:
        self.asked.append((repository, action))
        if authorization is None:
            return Decision(False, challenge=b'Bearer realm="http://here/token"')
        name = authorization.decode().removeprefix("Name ")
        allowed = {("*", action), (repository, action)} & self.rights.get(name, set())
        sees = {where for where, what in self.rights.get(name, set()) if what == "pull"}
        return Decision(bool(allowed), name, visible=lambda one: one in sees or "*" in sees)
