"""PgBouncer in front of a PostgreSQL server: sessions of the server are handed from client to client."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.ports import free_port
from tests.support.servers import account, binary, listens, serving


@contextmanager
def pgbouncer(postgres_port: int) -> Iterator[int]:
    """PgBouncer in transaction mode with two sessions; gives the port.

    :param postgres_port: of a server on loopback that trusts the user ``sela``.
    """
    program, user, port = binary("pgbouncer", "pgbouncer"), account("postgres"), free_port()
    with tempfile.TemporaryDirectory(prefix="sela-pooler-") as name:
        folder = Path(name)
        (folder / "users.txt").write_text('"sela" ""\n')
        (folder / "pgbouncer.ini").write_text(
            "[databases]\n"
            f"* = host=127.0.0.1 port={postgres_port} user=sela\n"
            "[pgbouncer]\n"
            f"listen_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\n"
            f"auth_type = any\nauth_file = {folder}/users.txt\n"
            "pool_mode = transaction\ndefault_pool_size = 2\n"
        )
        for path in (folder, *folder.iterdir()):
            if user is not None:
                shutil.chown(path, user)
        with serving([program, str(folder / "pgbouncer.ini")], user, lambda: listens(port)):
            yield port
