"""Record and refuse every address but this machine's, in a Python process and its children.

It is a script: the tests copy it as `sitecustomize.py` into a folder on PYTHONPATH.
"""

import os
import socket
import sys

_LOCAL = ("", "localhost", "127.0.0.1", "::1", "0.0.0.0", "::", None)
_LOOKUPS = ("socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr")
_SENDING = ("socket.connect", "socket.sendto", "socket.sendmsg")


def record(event, arguments):
    """Write an attempt to leave this machine into $FKP_ATTEMPTS and raise OSError."""
    if event in _LOOKUPS:
        host = arguments[0]
    elif event in _SENDING and isinstance(arguments[1], tuple):
        host = arguments[1][0]
    elif event == "socket.getnameinfo":
        host = arguments[0][0]
    else:
        return
    host = host.decode() if isinstance(host, bytes) else host
    if host in _LOCAL or not isinstance(host, str) or host == socket.gethostname():
        return
    with open(os.environ["FKP_ATTEMPTS"], "a") as f:
        print(event, host, "by", " ".join(sys.argv[:3]), file=f)
    raise socket.gaierror(socket.EAI_AGAIN, f"recorded and refused: {host}")


if __name__ == "sitecustomize":
    sys.addaudithook(record)
