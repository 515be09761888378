"""PostgreSQL, MariaDB and memcached for tests: on a unix socket, ended by their process handle."""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

READY_SECONDS = 60
PLACES = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin"])


@contextmanager
def folder_of(owner):
    """Make a folder with a short path, for a socket has little room; remove it afterwards."""
    path = Path(tempfile.mkdtemp(prefix="supercache-", dir="/tmp"))
    if owner is not None:
        os.chown(path, owner.pw_uid, owner.pw_gid)
    try:
        yield path
    finally:
        shutil.rmtree(path)


def unprivileged():
    """Return somebody who is not root, which servers refuse to be; None: we are not."""
    return pwd.getpwnam("nobody") if os.geteuid() == 0 else None


@contextmanager
def running(command, owner, *, is_ready, cwd, ends_by=signal.SIGTERM):
    """Run a server until the end of the block."""
    who = {} if owner is None else {"user": owner.pw_uid, "group": owner.pw_gid, "extra_groups": []}
    with (cwd / "log").open("wb") as log:
        server = subprocess.Popen(command, cwd=cwd, stdout=log, stderr=log, **who)
    try:
        deadline = time.monotonic() + READY_SECONDS
        while not is_ready():
            assert server.poll() is None, (cwd / "log").read_text()
            assert time.monotonic() < deadline, f"{command[0]} is not ready"
            time.sleep(0.02)  # noqa: TID251 - a real server takes real time
        yield
    finally:
        server.send_signal(ends_by)
        try:
            server.wait(READY_SECONDS)
        finally:
            server.kill()  # one that does not end; nothing, if it has
            server.wait()


def accepts(path):
    """Say whether a server listens at a socket, whose file is there before."""
    with socket.socket(socket.AF_UNIX) as client, suppress(OSError):
        client.connect(str(path))
        return True
    return False


@contextmanager
def postgresql():
    """Run a PostgreSQL of its own; the value is how to connect to it."""
    import psycopg

    owner = unprivileged()
    who = {} if owner is None else {"user": owner.pw_uid, "group": owner.pw_gid, "extra_groups": []}
    programs = max(Path("/usr/lib").glob("postgresql/*/bin"))
    with folder_of(owner) as folder:
        subprocess.run(
            [programs / "initdb", "-D", folder / "data", "-U", "shop", "-A", "trust", "--no-sync",
             "-E", "UTF8", "--locale=C", "--no-instructions"],
            cwd=folder, check=True, capture_output=True, timeout=READY_SECONDS, **who,
        )  # fmt: skip
        settings = {
            "listen_addresses": "", "fsync": "off", "full_page_writes": "off", "autovacuum": "off",
            "synchronous_commit": "off", "shared_buffers": "16MB", "max_connections": "20",
        }  # fmt: skip
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        command = [programs / "postgres", "-D", folder / "data", "-k", folder, *options]
        address = f"host={folder} user=shop dbname=postgres"

        def is_ready():
            return psycopg.pq.PGconn.ping(address.encode()) == psycopg.pq.Ping.OK

        with running(command, owner, is_ready=is_ready, cwd=folder, ends_by=signal.SIGQUIT):
            yield address


@contextmanager
def mariadb():
    """Run a MariaDB of its own with a database `shop`; the value is how to connect to it."""
    import pymysql

    owner = unprivileged()
    with folder_of(owner) as folder:
        place = folder / "socket"
        # Else each connection would read the certificates of the machine, three times the rest.
        address = {"unix_socket": str(place), "user": "root", "ssl_disabled": True}
        data = folder / "data"
        data.mkdir()
        if owner is not None:
            os.chown(data, owner.pw_uid, owner.pw_gid)
        settings = {
            "datadir": data, "socket": place, "pid-file": folder / "pid",
            "innodb-flush-log-at-trx-commit": 0, "innodb-flush-method": "nosync",
            "innodb-buffer-pool-size": "16M", "innodb-log-file-size": "8M",
        }  # fmt: skip
        options = [f"--{name}={value}" for name, value in settings.items()]
        command = [
            shutil.which("mariadbd", path=PLACES), "--no-defaults", "--skip-networking",
            "--skip-grant-tables", "--skip-log-bin", *options,
        ]  # fmt: skip
        who = {} if owner is None else {"user": owner.pw_uid, "group": owner.pw_gid}
        tables = Path("/usr/share/mariadb/mariadb_system_tables.sql").read_text("utf-8")
        subprocess.run(
            [*command, "--bootstrap"], input=f"CREATE DATABASE mysql;\nUSE mysql;\n{tables}",
            text=True, cwd=folder, check=True, capture_output=True, timeout=READY_SECONDS, **who,
        )  # fmt: skip

        with running(command, owner, is_ready=partial(accepts, place), cwd=folder):
            with pymysql.connect(**address) as connection:
                connection.query("CREATE DATABASE shop")
            yield {**address, "database": "shop"}


@contextmanager
def memcached():
    """Run a memcached of its own; the value is its socket."""
    owner = unprivileged()
    with folder_of(owner) as folder:
        place = folder / "socket"
        command = [shutil.which("memcached"), "-s", place, "-a", "0777", "-m", "8", "-t", "1"]
        with running(command, owner, is_ready=partial(accepts, place), cwd=folder):
            yield str(place)
