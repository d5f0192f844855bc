"""When and for how long a broken stream is opened again (as client/reconnect.h does)."""

from __future__ import annotations

import logging
import random
import time

import grpc

from sasq import text
from sasq.errors import ApiError, Unavailable, WaitTimeout

_log = logging.getLogger("sasq")

FIRST_WAIT_SECONDS = 0.2
LONGEST_WAIT_SECONDS = 5.0

# Whether the same call may succeed later without anybody's doing.
_PASSING = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.RESOURCE_EXHAUSTED)


class Reconnector:
    """Follows one stream through its outages.

    Waits between attempts double from 0.2 s to 5 s, each drawn from its upper half, so that the clients
    of a restarted service do not return all at once.
    """

    def __init__(self, give_up_after: float, timeout: float | None = None) -> None:
        """`give_up_after`: seconds of an unbroken outage. `timeout`: seconds of the whole wait."""
        self._give_up_after = give_up_after
        self._deadline = None if timeout is None else time.monotonic() + timeout
        self._outage_start: float | None = None
        self._ceiling = FIRST_WAIT_SECONDS

    def remaining(self) -> float | None:
        """Seconds until the wait is over, at least 0."""
        return None if self._deadline is None else max(0.0, self._deadline - time.monotonic())

    def on_message(self) -> None:
        """Something arrived: an outage is over."""
        if self._outage_start is not None:
            _log.warning("connected again")
            self._outage_start = None
            self._ceiling = FIRST_WAIT_SECONDS

    def on_break(self, error: ApiError) -> None:
        """The stream broke: waits, and returns if it is to be opened again. Raises otherwise."""
        remaining = self.remaining()
        if remaining == 0 or (remaining is not None and error.code is grpc.StatusCode.DEADLINE_EXCEEDED):
            raise WaitTimeout("the wait timed out; the job lives on") from error
        if error.code not in _PASSING:
            raise error
        now = time.monotonic()
        if self._outage_start is None:
            self._outage_start = now
            _log.warning("connection lost, reconnecting for up to %s", text.duration(self._give_up_after))
        if now - self._outage_start >= self._give_up_after:
            raise Unavailable(f"gave up after {text.duration(self._give_up_after)} without a connection: {error}",
                              error.code, error.reason) from error
        wait = max(FIRST_WAIT_SECONDS, self._ceiling * random.uniform(0.5, 1))
        self._ceiling = min(2 * self._ceiling, LONGEST_WAIT_SECONDS)
        time.sleep(wait if remaining is None else min(wait, remaining))
