"""A sandbox that plays the real Kaggle: what would leave this machine arrives there instead.

The package has no switch for this. `as_real_kaggle` replaces the two functions that choose the
endpoint, and refuses every address that is not of this machine. As a program it runs one command:
`python -m tests.workflow.live_kaggle URL USER KEY WORD...` is `fkp WORD...`.
"""

import contextlib
import io
import socket
import sys
from types import SimpleNamespace
from unittest import mock

from fastkaggle_plus import environment
from fastkaggle_plus.cli import main
from fastkaggle_plus.kaggle_client import session
from fastkaggle_plus.kaggle_client.http import Limits


@contextlib.contextmanager
def as_real_kaggle(box):
    """Let the package use this sandbox as the real Kaggle, and connect to nothing else."""
    connect, origin = session.connect, session.origin
    url = environment.assert_loopback(box.url)

    def connect_here(endpoint=None, **options):
        if endpoint or environment.points_to_sandbox():
            return connect(endpoint, **options)
        session._import_kaggle_package()
        from fastkaggle_plus.kaggle_client.client import Client

        client = Client(endpoint=url, local=False, limits=Limits())
        client.config_values = {"username": box.user, "key": box.key}
        client._authenticated = True
        return client

    def origin_here():
        return origin() if environment.points_to_sandbox() else url

    with (
        only_this_machine(),
        mock.patch.object(session, "connect", connect_here),
        mock.patch.object(session, "origin", origin_here),
    ):
        yield


@contextlib.contextmanager
def only_this_machine():
    """Refuse and record every name look-up and connection to another machine."""
    refused = []
    look_up, connect = socket.getaddrinfo, socket.socket.connect

    def is_here(host):
        return host in ("127.0.0.1", "localhost", "::1", b"127.0.0.1", b"localhost", None)

    def checked_look_up(host, *args, **options):
        if not is_here(host):
            refused.append(host)
            raise socket.gaierror(f"{host} is not this machine")
        return look_up(host, *args, **options)

    def checked_connect(self, address):
        if self.family != socket.AF_UNIX and not is_here(address[0]):
            refused.append(address[0])
            raise ConnectionRefusedError(f"{address} is not this machine")
        return connect(self, address)

    with (
        mock.patch.object(socket, "getaddrinfo", checked_look_up),
        mock.patch.object(socket.socket, "connect", checked_connect),
    ):
        yield refused
    assert not refused, f"another machine was asked: {refused}"


class Terminal(io.StringIO):
    """A terminal in which somebody types these answers."""

    def isatty(self):
        return True


@contextlib.contextmanager
def typed(*answers):
    """Answer the questions of a command."""
    with mock.patch.object(sys, "stdin", Terminal("".join(f"{a}\n" for a in answers))):
        yield


if __name__ == "__main__":
    url, user, key, *words = sys.argv[1:]
    with (
        as_real_kaggle(SimpleNamespace(url=url, user=user, key=key)),
        mock.patch.object(sys, "argv", ["fkp", *words]),
    ):
        main()
