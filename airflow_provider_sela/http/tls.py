"""The client certificate of a connection, for servers that want to know who calls (mutual TLS)."""

from __future__ import annotations

import errno
import ssl

from airflow_provider_sela.exceptions import SelaSetupError
from airflow_provider_sela.settings import Settings


def load_client_certificate(context: ssl.SSLContext, settings: Settings) -> None:
    """Put the connection's client certificate, if it has one, into a TLS context.

    :raises SelaSetupError: certificate or key cannot be used; the message names the extra.
    """
    if settings.client_cert is None:
        return
    try:
        context.load_cert_chain(settings.client_cert, settings.client_key, password=_refuse_password)
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            reason = "the key does not belong to the certificate"
        else:
            reason = "one of the files holds no certificate or no key in PEM form"
    except OSError as error:
        reason = f"a file cannot be read ({errno.errorcode.get(error.errno or 0, 'unknown error')})"
    else:
        return
    raise SelaSetupError(f"extras 'client_cert' and 'client_key': {reason}")


def _refuse_password() -> str:
    # Without a password OpenSSL would ask for one at the terminal and wait.
    raise SelaSetupError(
        "extra 'client_key': the key is encrypted; give a file with the key in clear that only the worker "
        "may read"
    )
