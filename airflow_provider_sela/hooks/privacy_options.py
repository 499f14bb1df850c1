"""Privacy rules from the options of an operator or of a dlt source; the salt is a connection's Password."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_sela.api.parameters import Reader, optional, settled, text
from airflow_provider_sela.api.privacy_rules import RULES
from airflow_provider_sela.exceptions import SelaRequestError

if TYPE_CHECKING:
    from airflow_provider_sela.privacy import Privacy

#: How each option is read; the salt's connection is no part of the rules.
PRIVACY_OPTIONS: dict[str, Reader] = {
    **RULES,
    "salt_conn_id": optional(text),
}
_UNKNOWN_SALT = "to be known in a run"


def privacy_of(*, salt_conn_id: str | None, **options: Any) -> Privacy:
    """The rules that the options stand for.

    :param options: the others of :data:`PRIVACY_OPTIONS`.
    :raises SelaRequestError: a rule contradicts another or cannot be applied; the message names it.
    :raises SelaSetupError: the salt's connection is not defined.
    """
    from airflow_provider_sela.privacy import Privacy

    conn_id = PRIVACY_OPTIONS["salt_conn_id"]("salt_conn_id", salt_conn_id)
    salt = _salt(conn_id) if conn_id else None
    return Privacy(salt=salt or "", **_read(options))


def check_privacy(*, salt_conn_id: object, **options: Any) -> None:
    """Refuse as :func:`privacy_of`, without a look at the salt, what is known of the options now."""
    if settled(salt_conn_id):
        PRIVACY_OPTIONS["salt_conn_id"]("salt_conn_id", salt_conn_id)
    rules = _read({name: value for name, value in options.items() if settled(value)})
    # Most tasks have no rule, and DAG files are parsed every few seconds.
    if any(rules.values()):
        from airflow_provider_sela.privacy import Privacy

        Privacy(salt="" if salt_conn_id is None else _UNKNOWN_SALT, **rules)


def _salt(conn_id: str) -> str | None:
    from airflow_provider_sela.connections import airflow_connection

    connection = airflow_connection(conn_id, "salt_conn_id")
    if connection.conn_type == "sela":
        raise SelaRequestError(
            f"salt_conn_id: the connection {conn_id!r} holds a token of Sela's, and a new token would change"
            " every hash: put a salt of its own into a connection of type generic"
        )
    salt: str | None = connection.password
    return salt


def _read(options: dict[str, Any]) -> dict[str, Any]:
    return {name: PRIVACY_OPTIONS[name](name, value) for name, value in options.items()}
