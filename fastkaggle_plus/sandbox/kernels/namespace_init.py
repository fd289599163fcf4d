"""The first process of a kernel: build its file tree, start it, and end it when the server ends.

It is a script that needs only the standard library: the sandbox starts it by its path, inside new
namespaces where the system allows them.
"""

import ctypes
import fcntl
import functools
import json
import os
import signal
import socket
import struct
import subprocess
import sys
import threading
from pathlib import Path

_NOSUID, _NODEV, _NOEXEC, _BIND, _REC = 2, 4, 8, 4096, 16384  # mount(2)
_MOUNT_SETATTR, _AT_FDCWD, _AT_RECURSIVE = 442, -100, 0x8000
_CAPBSET_DROP, _LAST_CAPABILITY = 24, 63  # prctl(2)
_OWN_FOLDERS = ("working", "home", "temp", "executed")  # in /kaggle, writable
_libc = ctypes.CDLL(None, use_errno=True)


def main(file: str) -> int:
    """Run the command in a launch file (see isolation.py) and return its exit status."""
    launch = json.loads(Path(file).read_text(encoding="utf-8"))
    if os.getpgrp() != os.getpid():
        os.setpgid(0, 0)  # a kill of this group must not end the server
    server = socket.socket(fileno=0)  # the server's end is isolation.Control
    if launch["own_network"]:
        enable_loopback()
        send_listener(server, launch["port"])
    has_own_files = launch["own_files"]
    if has_own_files:
        build_own_tree(launch)
    child = subprocess.Popen(
        launch["command"],
        cwd=None if has_own_files else launch["cwd"],
        env=launch["env"],
        stdin=subprocess.DEVNULL,
        preexec_fn=functools.partial(enter_own_tree, launch) if has_own_files else None,
    )
    threading.Thread(target=follow_server, args=(server, launch), daemon=True).start()
    status = child.wait()
    return status if status >= 0 else 128 - status


def follow_server(server: socket.socket, launch: dict) -> None:
    """Mount what the server asks for. When it closes the connection, end the kernel."""
    with server.makefile("rb") as questions:
        for question in questions:
            asked = json.loads(question)
            answer = {"path": asked["path"], "error": attach_input(launch, **asked)}
            server.sendall(json.dumps(answer).encode() + b"\n")
    if os.getpid() == 1:
        os._exit(137)  # the first process of a process namespace: the others end with it
    os.killpg(0, signal.SIGKILL)


def enable_loopback() -> None:
    """Enable 127.0.0.1, which Jupyter needs. It is disabled in a new network namespace."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        request = struct.pack("16sh14s", b"lo", 0x1 | 0x40, b"")  # IFF_UP | IFF_RUNNING
        fcntl.ioctl(s, 0x8914, request)  # SIOCSIFFLAGS


def send_listener(server: socket.socket, port: int) -> None:
    """Listen in the kernel's network and let the server, which is outside of it, answer there."""
    with socket.create_server(("127.0.0.1", port)) as listener:
        socket.send_fds(server, [b"."], [listener.fileno()])


def build_own_tree(launch: dict) -> None:
    """Build the kernel's file tree.

    The machine's folders are read-only. /kaggle and /tmp belong to the run, its inputs are
    read-only, and hidden folders are empty. Changes in the Python environment (pip install) go to
    a layer of the run.
    """
    run, root = Path(launch["run"]), Path(launch["run"]) / "root"
    mount("tmpfs", root, "tmpfs", _NOSUID, "mode=755,size=16m")
    bind_machine(root)
    bind(run / "tmp", root / "tmp")
    hide_folders(root, launch)
    writable = [root / "tmp", root / "dev/shm", root / "proc"]
    prefix = Path(launch["prefix"])
    try:
        layer = f"upperdir={run / 'layer'},workdir={run / 'layer.work'},userxattr"
        mount("overlay", in_tree(root, prefix), "overlay", 0, f"lowerdir={prefix},{layer}")
        writable.append(in_tree(root, prefix))
    except OSError:  # this system allows no overlay: the Python environment is read-only
        pass
    for name in (*_OWN_FOLDERS, "lib", "src"):
        bind(run / name, in_tree(root, Path("/kaggle") / name))
    writable += [root / "kaggle" / name for name in _OWN_FOLDERS]
    (root / "kaggle/input").mkdir(parents=True, exist_ok=True)
    for path, source in launch["inputs"].items():
        bind(Path(source), in_tree(root, Path("/kaggle/input") / path), _REC)
    # The same folder again, outside of the tree and writable: to make mount points in it later.
    bind(root / "kaggle/input", run / "attach")
    mount("tmpfs", root / "dev/shm", "tmpfs", _NOSUID | _NODEV, "mode=1777")
    set_readonly(root, True, _AT_RECURSIVE)
    for place in writable:
        set_readonly(place, False, 0)


def enter_own_tree(launch: dict) -> None:
    """Make the tree the root folder of this process, which loses all rights to leave it."""
    os.chroot(Path(launch["run"]) / "root")
    os.chdir(launch["cwd"])
    drop_capabilities()


def attach_input(launch: dict, source: str, path: str) -> str:
    """Mount a folder below /kaggle/input of the running kernel; return '' or the error."""
    run = Path(launch["run"])
    place = run / "root/kaggle/input" / path
    try:
        (run / "attach" / path).mkdir(parents=True, exist_ok=True)
        bind(Path(source), place, _REC)
        set_readonly(place, True, _AT_RECURSIVE)
    except OSError as e:
        return str(e)
    return ""


def bind_machine(root: Path) -> None:
    """Show the machine's folders in the tree."""
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


def hide_folders(root: Path, launch: dict) -> None:
    """Empty the hidden folders, except for the visible folders inside them."""
    hidden = [Path(p) for p in launch["hidden"] if Path(p).is_dir()]
    visible = [Path(p) for p in launch["visible"]]
    # Deeper folders are handled later, so they win.
    for path in sorted({*hidden, *visible}, key=lambda p: len(p.parts)):
        if path in hidden:
            mount("tmpfs", in_tree(root, path), "tmpfs", _NOSUID, "mode=755,size=16m")
        elif any(path.is_relative_to(h) for h in (*hidden, Path("/tmp"))):
            bind(path, in_tree(root, path), _REC)


def in_tree(root: Path, path: Path) -> Path:
    """Return the place of a machine's path in the new tree."""
    return root / str(path).lstrip("/")


def bind(source: Path, place: Path, flags: int = 0) -> None:
    """Show a folder at another place too."""
    mount(str(source), place, "", _BIND | flags)


def mount(source: str, place: Path, kind: str, flags: int, data: str = "") -> None:
    """Call mount(2); a missing folder is made. Raises OSError."""
    place.mkdir(parents=True, exist_ok=True)
    texts = [text.encode() for text in (source, str(place), kind, data)]
    if _libc.mount(*texts[:3], ctypes.c_ulong(flags), texts[3]) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{os.strerror(number)}: mount {source}", str(place))


def set_readonly(place: Path, readonly: bool, flags: int) -> None:
    """Make a mount read-only or writable; with AT_RECURSIVE, also all below it. Raises OSError."""
    attributes = struct.pack("QQQQ", int(readonly), 0 if readonly else 1, 0, 0)
    path = str(place).encode()
    size = len(attributes)
    if _libc.syscall(_MOUNT_SETATTR, _AT_FDCWD, path, flags, attributes, size) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), str(place))


def drop_capabilities() -> None:
    """Remove all capabilities, so that the kernel cannot undo its isolation."""
    for capability in range(_LAST_CAPABILITY + 1):
        _libc.prctl(_CAPBSET_DROP, capability, 0, 0, 0)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1]))
