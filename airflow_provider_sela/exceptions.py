"""What can go wrong, sorted by what the reader should do next.

::

    SelaError
    ├── SelaSetupError             change the connection or the environment; a retry cannot help
    │   ├── SelaAuthenticationError    401: the token is wrong or revoked
    │   └── SelaPermissionError        403: the token may not read leads
    ├── SelaRequestError           change the task's arguments (also a ValueError)
    │   └── SelaLimitError             more leads than the chosen way of returning them can carry
    ├── SelaUnavailableError       wait and try again; ``retry_after`` says how long, where the server said it
    │   └── SelaRateLimitError         429
    ├── SelaResponseError          report it: the server broke its own contract
    ├── SelaIncompleteError        run it again: the read gave no evidence that it saw every lead
    │   └── SelaPageGoneError          a page after the first is refused, as with 404: the list shrank
    └── SelaTargetError            change the target table, file or database
        └── SelaTargetUnavailableError run it again: the target failed for now, and nothing was written

No message carries the token or a value of a lead other than its ``id``.
"""

from __future__ import annotations

from typing import ClassVar


def of_connection(conn_id: str, message: object) -> str:
    """The message of an error that is about a connection, which every such message names first."""
    return f"connection {conn_id!r}: {message}"


class SelaError(Exception):
    """Root of every error that this package raises on purpose."""

    #: Whether the same call may succeed later without anybody changing anything.
    retryable: ClassVar[bool] = False
    #: Seconds to wait before that, where a server said so.
    retry_after: float | None = None


class SelaSetupError(SelaError):
    """The connection or the environment is wrong: host, TLS, proxy, extras, a missing driver."""


class SelaAuthenticationError(SelaSetupError):
    """HTTP 401: the token is missing, wrong or revoked."""


class SelaPermissionError(SelaSetupError):
    """HTTP 403: the token is known but may not do this."""


class SelaRequestError(SelaError, ValueError):
    """An argument is wrong; the message names it."""


class SelaLimitError(SelaRequestError):
    """More leads than may be returned this way; the message names the way that can."""


class SelaUnavailableError(SelaError):
    """The server or the way to it failed for now: 408, 425, 5xx, a time-out, a dropped connection.

    :param message: what happened and what to do.
    :param retry_after: seconds to wait, from the ``Retry-After`` header; None where the server gave none.
    """

    retryable = True

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after

    def __reduce__(self) -> tuple[object, ...]:
        return _rebuild, (type(self), self.args[0], self.retry_after)


class SelaRateLimitError(SelaUnavailableError):
    """HTTP 429: too many requests for this token."""


class SelaResponseError(SelaError):
    """The answer is not what the API documents: not JSON, another shape, a page that leads backwards."""

    retryable = True


class SelaIncompleteError(SelaError):
    """A read ended without evidence that it saw every lead."""

    retryable = True


class SelaPageGoneError(SelaIncompleteError):
    """A page after the first is refused: the list is shorter now, or the server pages only so far."""


class SelaTargetError(SelaError):
    """The place where leads should land refuses them: a conflicting column, a missing table, a full disk."""


class SelaTargetUnavailableError(SelaTargetError):
    """The database failed while leads were on their way: a lost connection, a deadlock, a full disk."""

    retryable = True


def _rebuild(
    kind: type[SelaUnavailableError], message: str, retry_after: float | None
) -> SelaUnavailableError:
    return kind(message, retry_after=retry_after)
