"""The body of a `hook` job: one delivery."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Final

from ferryman.core.errors import Denied, Invalid, Unavailable
from ferryman.core.settings import Settings
from ferryman.downloads.hooks.command import Command
from ferryman.downloads.hooks.facts import body_of, variables_of
from ferryman.downloads.hooks.model import KIND, Delivery, Hook, HookKind
from ferryman.downloads.hooks.service import Hooks
from ferryman.downloads.hooks.webhook import Answered, Post, signature
from ferryman.jobs.model import Document
from ferryman.jobs.run import Run, Stopped
from ferryman.transfer.policy import AddressPolicy
from ferryman.transfer.source import parse_source

PHASES: Final = ("delivering",)
"""The phases of a delivery."""
AGENT: Final = "Ferryman-Hook/1"


class HookHandler:
    """Implements `jobs.ports.Handler`."""

    kind = KIND
    spec = Delivery

    def __init__(self, hooks: Hooks, settings: Callable[[], Settings], clock: Callable[[], float]) -> None:
        """Ask `hooks` where to, and `settings` what is allowed, each time."""
        self._hooks = hooks
        self._settings = settings
        self._clock = clock

    async def run(self, spec: Delivery, run: Run) -> Document:
        """Deliver once. Raises `Unavailable` when it is to be tried again, other errors when not, and `Stopped`."""
        await run.phase(PHASES[0])
        hook = await self._hooks.get(spec.hook)
        if not hook.kept.enabled:
            run.log.warning("the hook is disabled: nothing is sent")
            return {"skipped": True}
        if hook.kept.kind is HookKind.COMMAND:
            return await self._command(hook, spec, run)
        return await self._webhook(hook, spec, run)

    async def _webhook(self, hook: Hook, spec: Delivery, run: Run) -> Document:
        secrets, now = self._hooks.secrets_of(hook), int(self._clock())
        body = body_of(spec, run.job.id, now)
        headers = {
            "Content-Type": "application/json",
            "User-Agent": AGENT,
            "X-Ferryman-Event": spec.event.value,
            "X-Ferryman-Delivery": run.job.id,
            "X-Ferryman-Signature": signature(secrets.secret, now, body),
        }
        policy = AddressPolicy(private=self._settings().hook_private)
        post = Post(parse_source(secrets.url), policy, float(hook.kept.timeout))
        answer = await _sent(post, body, headers, run, hook.kept.timeout)
        run.log.info(f"{hook.kept.host} answered {answer.status}", answer=answer.text[:500])
        return {"status": answer.status, "hook": hook.kept.name, "to": hook.kept.host}

    async def _command(self, hook: Hook, spec: Delivery, run: Run) -> Document:
        if not self._settings().hook_commands:
            raise Denied(
                "hook_commands_off",
                f"The hook '{hook.kept.name}' is a command, and commands are switched off.",
                advice="Write hook_commands = true into ferry.toml, start Ferryman again, then retry this job.",
            )
        variables = variables_of(spec, run.job.id)
        folder = await asyncio.to_thread(_folder, variables["FERRY_PATH"])
        command = Command(hook.kept.command, folder, variables, run.job.id)
        run.log.info(f"running {' '.join(hook.kept.command)[:500]} in {folder}")
        status = await _ran(command, run, hook)
        if status is None:
            raise Invalid(
                "hook_timeout",
                f"'{hook.kept.command[0]}' ran longer than {hook.kept.timeout} seconds and was ended.",
                advice="Give the hook more time, or let the program do less.",
            )
        if status != 0:
            raise Invalid(
                "hook_failed",
                f"'{hook.kept.command[0]}' ended with status {status}.",
                advice="Its output is in the log of this job.",
            )
        return {"status": status, "hook": hook.kept.name}


async def _sent(post: Post, body: bytes, headers: dict[str, str], run: Run, timeout: float) -> Answered:
    sending = asyncio.ensure_future(asyncio.to_thread(post.send, body, headers))
    stopped = asyncio.ensure_future(run.stopped())
    try:
        # Each step has the time-out; a receiver that sends a byte now and then must not hold the delivery for ever.
        await asyncio.wait({sending, stopped}, timeout=2.0 * timeout, return_when=asyncio.FIRST_COMPLETED)
        if not sending.done():
            post.abort()
            await asyncio.wait({sending}, timeout=5)
        if stopped.done():
            raise Stopped
        if not sending.done():
            raise Unavailable("hook_timeout", "The receiver took too long.", advice="It is tried again.")
        return sending.result()
    finally:
        stopped.cancel()
        if not sending.done():
            sending.cancel()
        elif not sending.cancelled():
            sending.exception()


async def _ran(command: Command, run: Run, hook: Hook) -> int | None:
    running = asyncio.ensure_future(command.run(run.log.info, float(hook.kept.timeout)))
    stopped = asyncio.ensure_future(run.stopped())
    try:
        await asyncio.wait({running, stopped}, return_when=asyncio.FIRST_COMPLETED)
        if not running.done():
            running.cancel()
            await asyncio.wait({running})
            raise Stopped
        return running.result()
    except OSError as error:
        raise Invalid(
            "hook_failed",
            f"'{hook.kept.command[0]}' cannot be run: {error.strerror}.",
            advice="Give the whole path of a program that the user who runs Ferryman may run.",
        ) from error
    finally:
        stopped.cancel()


def _folder(path: str) -> Path:
    """Return the folder a program runs in: that of the file, else the root."""
    folder = Path(path).parent if path else Path("/")
    return folder if folder.is_dir() else Path("/")
