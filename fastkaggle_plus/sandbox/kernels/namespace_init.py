"""Runs as the first process of a kernel: builds the file tree the kernel sees, starts it, and ends everything when its server goes away.

A script of its own with nothing but the standard library: it is started by path, inside new namespaces where the system allows them.
"""

import ctypes
import fcntl
import json
import os
import signal
import socket
import struct
import subprocess
import sys
import threading
from pathlib import Path

_RDONLY, _NOSUID, _NODEV, _NOEXEC, _REMOUNT, _BIND, _REC = 1, 2, 4, 8, 32, 4096, 16384  # mount(2)
_MOUNT_SETATTR, _AT_FDCWD, _AT_RECURSIVE = 442, -100, 0x8000
_CAPBSET_DROP, _LAST_CAPABILITY = 24, 63  # prctl(2)
_libc = ctypes.CDLL(None, use_errno=True)


def main(file: str) -> int:
    "Run the job a file describes and return its exit status."
    job = json.loads(Path(file).read_text(encoding="utf-8"))
    if os.getpgrp() != os.getpid():
        os.setpgid(0, 0)  # what ends with this process is its group, never the server's
    if job["own_network"]:
        bring_loopback_up()
    if job["own_files"]:
        enter(job)
    child = subprocess.Popen(
        job["command"],
        cwd=job["cwd"],
        env=job["env"],
        stdin=subprocess.DEVNULL,
        preexec_fn=drop_capabilities if job["own_files"] else None,
    )
    threading.Thread(target=end_with_server, daemon=True).start()
    status = child.wait()
    return status if status >= 0 else 128 - status


def end_with_server() -> None:
    "Wait until the pipe from the server closes, however the server ended, and take everything along."
    while os.read(0, 1):
        pass
    if os.getpid() == 1:
        os._exit(137)  # the first process of a process namespace: all others end with it
    os.killpg(0, signal.SIGKILL)


def bring_loopback_up() -> None:
    "Jupyter talks over 127.0.0.1, which is down in a new network namespace."
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        request = struct.pack("16sh14s", b"lo", 0x1 | 0x40, b"")  # IFF_UP | IFF_RUNNING
        fcntl.ioctl(s, 0x8914, request)  # SIOCSIFFLAGS


def enter(job: dict) -> None:
    """Build the tree and make it the root.

    The machine's own folders are there to read. /kaggle and /tmp are the run's own, inputs are read-only, what is to stay hidden is
    empty, and what changes in the Python environment (pip install) goes to a layer of the run.
    """
    run, root = Path(job["run"]), Path(job["run"]) / "root"
    mount("tmpfs", root, "tmpfs", _NOSUID, "mode=755,size=16m")
    for entry in sorted(Path("/").iterdir()):
        place = root / entry.name
        if entry.is_symlink():
            place.symlink_to(os.readlink(entry))
        elif entry.is_dir() and entry.name not in ("proc", "tmp", "kaggle"):
            bind(entry, place, _REC)
    (root / "proc").mkdir()
    try:
        mount("proc", root / "proc", "proc", _NOSUID | _NODEV | _NOEXEC)
    except OSError:  # a container that masks parts of /proc allows no new one
        bind(Path("/proc"), root / "proc", _REC)
    bind(run / "tmp", root / "tmp")
    hidden, kept = (
        [Path(p) for p in job["hidden"] if Path(p).is_dir()],
        [Path(p) for p in job["kept"]],
    )
    for path in sorted(
        {*hidden, *kept}, key=lambda p: len(p.parts)
    ):  # what lies deeper is decided later, and wins
        if path in hidden:
            mount("tmpfs", below(root, path), "tmpfs", _NOSUID, "mode=755,size=16m")
        elif any(path.is_relative_to(h) for h in (*hidden, Path("/tmp"))):
            bind(path, below(root, path), _REC)
    prefix, is_layered = Path(job["prefix"]), True
    try:
        layer = f"lowerdir={prefix},upperdir={run / 'layer'},workdir={run / 'layer.work'},userxattr"
        mount("overlay", below(root, prefix), "overlay", 0, layer)
    except OSError:
        is_layered = False
    own = ["/kaggle/working", "/kaggle/home", "/kaggle/temp"]
    for name in own:
        bind(run / Path(name).name, below(root, Path(name)))
    bind(run / "lib", below(root, Path("/kaggle/lib")))
    bind(run / "src", below(root, Path("/kaggle/src")))
    below(root, Path("/kaggle/input"))
    for place, source in job["inputs"].items():
        bind(Path(source), below(root, Path("/kaggle/input") / place), _REC)
    below(root, Path("/dev/shm"))
    mount("tmpfs", root / "dev/shm", "tmpfs", _NOSUID | _NODEV, "mode=1777")
    set_readonly(root, True, _AT_RECURSIVE)
    for place in [
        *(root / p.lstrip("/") for p in own),
        root / "tmp",
        root / "dev/shm",
        root / "proc",
        *([below(root, prefix)] if is_layered else []),
    ]:
        set_readonly(place, False, 0)
    os.chroot(root)
    os.chdir("/")


def below(root: Path, path: Path) -> Path:
    "Return where a path of the machine lies in the new tree; the folder is made when it is not there."
    place = root / str(path).lstrip("/")
    if not place.is_dir():
        place.mkdir(parents=True)
    return place


def bind(source: Path, place: Path, flags: int = 0) -> None:
    "Show a folder at another place too."
    place.mkdir(parents=True, exist_ok=True)
    mount(str(source), place, "", _BIND | flags)


def mount(source: str, place: Path, kind: str, flags: int, data: str = "") -> None:
    "Call mount(2). Raises OSError."
    place.mkdir(parents=True, exist_ok=True)
    if (
        _libc.mount(
            source.encode(),
            str(place).encode(),
            kind.encode(),
            ctypes.c_ulong(flags),
            data.encode(),
        )
        != 0
    ):
        number = ctypes.get_errno()
        raise OSError(number, f"{os.strerror(number)}: mount {source}", str(place))


def set_readonly(place: Path, readonly: bool, flags: int) -> None:
    "Make a mount, or with AT_RECURSIVE all below it, read-only or not. Raises OSError."
    attributes = struct.pack("QQQQ", int(readonly), 0 if readonly else 1, 0, 0)
    if (
        _libc.syscall(
            _MOUNT_SETATTR, _AT_FDCWD, str(place).encode(), flags, attributes, len(attributes)
        )
        != 0
    ):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), str(place))


def drop_capabilities() -> None:
    "Let the kernel undo nothing of this: what it executes has no capability, even as root of its namespace."
    for capability in range(_LAST_CAPABILITY + 1):
        _libc.prctl(_CAPBSET_DROP, capability, 0, 0, 0)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1]))
