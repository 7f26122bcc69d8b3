"""`ferry up`: one process that serves the console and the API and runs the jobs, until it is told to stop."""

import asyncio
import contextlib
import ctypes
import signal
import socket
import sys

import structlog
from granian.constants import Interfaces
from granian.server.embed import Server

from ferryman.core.errors import Conflict, Denied, Invalid
from ferryman.core.settings import Settings
from ferryman.daemon.compose import compose
from ferryman.daemon.home import Home

_PR_SET_PDEATHSIG = 1  # linux/prctl.h
_LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40}


def up(settings: Settings, *, sample: bool = False) -> None:
    """Serve until SIGTERM or SIGINT. Raises `Conflict` (`home_busy`, `port_busy`), `Denied`, `Invalid`."""
    _log_from(settings)
    home = Home(settings.home)
    home.take()
    try:
        port = settings.port or _free_port(settings.host)
        _check_port(settings.host, port)
        with _runner() as runner:
            runner.run(_serve(settings, home, port, sample=sample))
    finally:
        home.leave()


def _log_from(settings: Settings) -> None:
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[settings.log_level]),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )


def _runner() -> asyncio.Runner:
    try:
        import uvloop  # noqa: PLC0415 - not on every platform
    except ImportError:
        return asyncio.Runner()
    return asyncio.Runner(loop_factory=uvloop.new_event_loop)


async def _serve(settings: Settings, home: Home, port: int, *, sample: bool) -> None:
    stop = _stop_on_signals()
    daemon = await asyncio.to_thread(compose, settings, local_token=home.token)
    async with contextlib.AsyncExitStack() as stack:
        stack.push_async_callback(daemon.database.close)
        _log_from(daemon.live.now())
        daemon.live.subscribe(_log_from)
        password = await daemon.accounts.ensure_admin()
        server = Server(
            daemon.front,
            address=settings.host,
            port=port,
            interface=Interfaces.ASGINL,
            log_enabled=False,
            backlog=512,
        )
        serving = asyncio.create_task(server.serve())
        stack.push_async_callback(_end_server, server, serving)
        await daemon.life.start()
        stack.push_async_callback(daemon.life.stop)
        if sample:
            upstream = await _sample()
            stack.push_async_callback(_end_process, upstream)
        await _until_open(settings.host, port, serving)
        home.announce(address_of(_reachable(settings.host), port))
        _greet(address_of(settings.host, port), password)
        told = asyncio.ensure_future(stop.wait())
        await asyncio.wait({serving, told}, return_when=asyncio.FIRST_COMPLETED)
        told.cancel()
        home.silence()
        if serving.done():
            serving.result()


def _stop_on_signals() -> asyncio.Event:
    """Return what SIGTERM and SIGINT set. The second one ends the process at once: jobs survive that too."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()

    def asked() -> None:
        stop.set()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)
            signal.signal(number, signal.SIG_DFL)

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, asked)
    return stop


async def _end_server(server: Server, serving: "asyncio.Task[None]") -> None:
    server.stop()  # type: ignore[no-untyped-call]  # the library has no types here
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(asyncio.shield(serving), 3)
    serving.cancel()


async def _sample() -> asyncio.subprocess.Process:
    """Start the sample upstream beside us; it prints its own addresses, and ends with us however we end."""
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "ferryman.testing.sample", preexec_fn=_die_with_parent
    )


def _die_with_parent() -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


async def _end_process(process: asyncio.subprocess.Process) -> None:
    with contextlib.suppress(ProcessLookupError):
        process.terminate()
    await process.wait()


def address_of(host: str, port: int) -> str:
    """Return the address of the console."""
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _reachable(host: str) -> str:
    """Return where this machine reaches itself when it listens on `host`."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - compared, not bound


def _greet(address: str, password: str | None) -> None:
    lines = [f"Ferryman is at {address}"]
    if password:
        lines.append(f"Sign in as 'admin' with the one-time password {password}")
    lines.append("Stop it with Ctrl-C.")
    sys.stdout.write("\n".join(lines) + "\n")
    sys.stdout.flush()


async def _until_open(host: str, port: int, serving: "asyncio.Task[None]") -> None:
    for _ in range(200):
        if serving.done():
            serving.result()
            break
        try:
            _, writer = await asyncio.open_connection(_reachable(host), port)
        except OSError:
            await asyncio.sleep(0.05)
            continue
        writer.close()
        return
    raise Conflict("server_failed", f"The server did not open {host}:{port}.", advice="See the lines above.")


def _free_port(host: str) -> int:
    with _bound(host, 0) as free:
        return int(free.getsockname()[1])


def _check_port(host: str, port: int) -> None:
    _bound(host, port).close()


def _bound(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    probe = socket.socket(family)
    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        probe.bind((host, port))
    except socket.gaierror as error:
        probe.close()
        raise Invalid(
            "host_invalid", f"'{host}' is no address of this machine.", advice="Use an IP address."
        ) from error
    except PermissionError as error:
        probe.close()
        raise Denied(
            "port_denied", f"Port {port} may not be opened.", advice="Use a port above 1023."
        ) from error
    except OSError as error:
        probe.close()
        raise Conflict(
            "port_busy",
            f"{host}:{port} cannot be opened: {error.strerror}.",
            advice="Choose another with --port, or stop what uses it; --port 0 takes a free one.",
        ) from error
    return probe
