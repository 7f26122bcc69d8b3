"""Start and stop of long-lived parts, in order and in reverse order."""

from typing import Protocol


class Service(Protocol):
    """A part with a life: started once, stopped once, in the daemon's event loop."""

    async def start(self) -> None:
        """Begin. Must leave nothing running when it raises."""
        ...

    async def stop(self) -> None:
        """End, waiting until nothing of it runs. Called only after `start` returned."""
        ...


class Lifecycle:
    """Starts services in order; stops the started ones in reverse. Not for concurrent use."""

    def __init__(self, *services: Service) -> None:
        """Keep the services in their starting order."""
        self._services = services
        self._started: list[Service] = []

    async def start(self) -> None:
        """Start all; when one fails, stop those already started and raise its error."""
        for service in self._services:
            try:
                await service.start()
            except BaseException as error:
                try:
                    await self.stop()
                except Exception as second:  # noqa: BLE001 - why it did not start is what the caller must hear
                    error.add_note(f"and stopping what had started failed: {second!r}")
                raise
            self._started.append(service)

    async def stop(self) -> None:
        """Stop all started services, the last first; the first error is raised after all were stopped."""
        first: Exception | None = None
        while self._started:
            try:
                await self._started.pop().stop()
            except Exception as error:  # noqa: BLE001 - every service gets its stop, the first error is raised after
                first = first or error
        if first:
            raise first
