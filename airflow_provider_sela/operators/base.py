"""What every operator that reads leads shares: filters, connection, and which failures a retry can mend."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import Any

from airflow.providers.common.compat.sdk import AirflowFailException, BaseOperator, Context

from airflow_provider_sela.exceptions import SelaError, SelaRequestError
from airflow_provider_sela.hooks.sela import SelaHook
from airflow_provider_sela.hooks.snapshot import LeadSnapshot
from airflow_provider_sela.spool import Encode, Redact, lead_line


class SelaReadOperator(BaseOperator):
    """Base of the operators that read leads; use one of its subclasses.

    :param email: read only leads with this e-mail address (templated).
    :param external_id: read only leads with this id in the customer's own CRM (templated).
    :param phone_number: read only leads with this phone number, E.164 such as ``+18042221111`` (templated).
    :param user: read only leads of this user, an integer (templated).
    :param page_size: leads per request; default: the connection's. The server may return fewer (templated).
    :param on_unverified: what to do when completeness could not be established: ``fail`` (default, because a
        table that silently lacks leads is worse than a late one) or ``warn`` (templated).
    :param sela_conn_id: Airflow connection of type ``sela`` (templated).
    """

    template_fields: Sequence[str] = (
        "email",
        "external_id",
        "phone_number",
        "user",
        "page_size",
        "on_unverified",
        "sela_conn_id",
    )

    def __init__(
        self,
        *,
        email: str | None = None,
        external_id: str | None = None,
        phone_number: str | None = None,
        user: int | str | None = None,
        page_size: int | None = None,
        on_unverified: str = "fail",
        sela_conn_id: str = SelaHook.default_conn_name,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.email = email
        self.external_id = external_id
        self.phone_number = phone_number
        self.user = user
        self.page_size = page_size
        self.on_unverified = on_unverified
        self.sela_conn_id = sela_conn_id

    @cached_property
    def hook(self) -> SelaHook:
        """The hook of this task's connection."""
        return SelaHook(sela_conn_id=self.sela_conn_id)

    @property
    def filters(self) -> dict[str, Any]:
        """The filters as the hook's methods take them."""
        return {
            "email": self.email,
            "external_id": self.external_id,
            "phone_number": self.phone_number,
            "user": self.user,
        }

    def snapshot(self, encode: Encode = lead_line, redact: Redact | None = None) -> LeadSnapshot:
        """The verified read of this task's leads; a context manager."""
        return self.hook.snapshot(
            **self.filters,
            page_size=self._page_size(),
            on_unverified=self.on_unverified,
            encode=encode,
            redact=redact,
        )

    def _page_size(self) -> int | None:
        try:
            return None if self.page_size is None else int(self.page_size)
        except ValueError:
            raise SelaRequestError("page_size is not a whole number") from None

    def execute(self, context: Context) -> Any:
        """Run the task; failures that no retry can mend fail it at once."""
        with failing_fast():
            try:
                return self.load(context)
            finally:
                self.hook.close()

    def load(self, context: Context) -> Any:
        """Do the subclass's work and return the task's XCom."""
        raise NotImplementedError


@contextmanager
def failing_fast() -> Iterator[None]:
    """Turn errors that a retry cannot mend into ``AirflowFailException``, which Airflow does not retry."""
    try:
        yield
    except SelaError as error:
        if error.retryable:
            raise
        raise AirflowFailException(f"{type(error).__name__}: {error}") from None
