"""Privacy rules from the options of an operator or of a dlt resource; the salt is a connection's Password."""

from __future__ import annotations

from collections.abc import Collection

from airflow.providers.common.compat.sdk import BaseHook

from airflow_provider_sela.privacy import Privacy


def privacy_of(
    *,
    exclude_fields: Collection[str],
    hash_fields: Collection[str],
    salt_conn_id: str | None,
    keep_metadata: Collection[str] | None,
    drop_metadata: Collection[str],
) -> Privacy:
    """The rules that the options stand for.

    :raises SelaRequestError: a rule contradicts another or cannot be applied; the message names it.
    """
    salt = BaseHook.get_connection(salt_conn_id).password if salt_conn_id else None
    return Privacy(
        exclude=exclude_fields,
        hashed=hash_fields,
        salt=salt or "",
        keep_metadata=keep_metadata,
        drop_metadata=drop_metadata,
    )
