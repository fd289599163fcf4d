"""Refuse every address but this machine's, with a reason. A copy of it is a kernel's sitecustomize.

Python imports a module of that name at its start, in the kernel and in its child processes. Network
namespaces block the addresses too, where the system has them, but cannot give a reason.
"""

import errno
import ipaddress
import os
import socket
import sys
from typing import Any

# Errors begin with the text that they have on Kaggle: code may look for it.
_NO_NAME = "Temporary failure in name resolution"
_HERE = os.path.dirname(os.path.abspath(__file__))
_LOOKUPS = ("socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr")
_SENDING = ("socket.connect", "socket.sendto", "socket.sendmsg")


def refuse_other_hosts(event: str, arguments: tuple[Any, ...]) -> None:
    """Raise OSError for a name look-up or a connection that would leave this machine."""
    if event in _LOOKUPS and not is_this_machine(arguments[0]):
        raise socket.gaierror(socket.EAI_AGAIN, f"{_NO_NAME}: {_reason(arguments[0])}")
    address = arguments[1] if event in _SENDING else None
    if event == "socket.getnameinfo":
        address = arguments[0]
    if isinstance(address, tuple) and not is_this_machine(address[0]):
        text = os.strerror(errno.ENETUNREACH)
        raise OSError(errno.ENETUNREACH, f"{text}: {_reason(address[0])}")


def is_this_machine(host: Any) -> bool:
    """Say whether a host is this machine; other values than names are no internet addresses."""
    name = host.decode() if isinstance(host, bytes) else host
    if not isinstance(name, str) or name in ("", "localhost", socket.gethostname()):
        return True
    try:
        ip = ipaddress.ip_address(name.partition("%")[0])
    except ValueError:
        return False
    return ip.is_loopback or ip.is_unspecified


def _reason(host: Any) -> str:
    with open(os.path.join(_HERE, "no_internet.txt"), encoding="utf-8") as f:
        return f.read().format(host=host.decode() if isinstance(host, bytes) else host)


if __name__ == "sitecustomize":
    sys.addaudithook(refuse_other_hosts)
