"""Notebooks and pushes for the tests of the sandbox's kernels."""

from __future__ import annotations

import json
import time

SERVICE = "kernels.KernelsApiService"
ENDED = ("COMPLETE", "ERROR", "CANCEL_ACKNOWLEDGED", "NEW_SCRIPT")


def notebook(*cells: str) -> str:
    """Return a notebook with these code cells."""
    code = [
        {"cell_type": "code", "source": c, "metadata": {}, "outputs": [], "execution_count": None}
        for c in cells
    ]
    return json.dumps(
        {
            "cells": code,
            "metadata": {"kernelspec": {"name": "python3", "display_name": "Python 3"}},
            "nbformat": 4,
            "nbformat_minor": 4,
        }
    )


def wait(condition, timeout_s: float = 60) -> None:
    """Wait until a condition is true."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


class KernelCaller:
    """Speaks the kernel service directly."""

    def __init__(self, call):
        self.call, self.owner = call, call.box.user

    def raw(self, method: str, slug: str = "my-kernel", **fields):
        return self.call(method, service=SERVICE, userName=self.owner, kernelSlug=slug, **fields)

    def __call__(self, method: str, slug: str = "my-kernel", **fields) -> dict:
        answer = self.raw(method, slug, **fields)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def push(self, text: str, title: str = "My kernel", *, kind: str = "script", **fields) -> dict:
        given = {
            "enableInternet": True,
            **fields,
        }  # without it, a system without network isolation writes a warning to the log
        answer = self.call(
            "SaveKernel",
            service=SERVICE,
            newTitle=title,
            text=text,
            language="python",
            kernelType=kind,
            **given,
        )
        assert answer.status_code == 200, answer.text
        return answer.json()

    def wait(
        self,
        slug: str = "my-kernel",
        version: int | None = None,
        *,
        until=ENDED,
        timeout_s: float = 60,
    ) -> dict:
        label, deadline = (
            {"versionLabel": f"v{version}"} if version else {},
            time.monotonic() + timeout_s,
        )
        while (found := self("GetKernelSessionStatus", slug, **label))["status"] not in until:
            assert time.monotonic() < deadline, (found, self.log(slug))
            time.sleep(0.05)
        return found

    def run(self, text: str, title: str = "My kernel", **fields) -> tuple[str, str, dict[str, str]]:
        """Push, wait and return (status, log as text, output files by name)."""
        pushed = self.push(text, title, **fields)
        assert not pushed["error"], pushed
        slug = pushed["ref"].rpartition("/")[2]
        status = self.wait(slug, pushed["versionNumber"])["status"]
        return status, self.log(slug), self.files(slug)

    def log(self, slug: str = "my-kernel") -> str:
        return "".join(
            e["data"] for e in json.loads(self("ListKernelSessionOutput", slug)["log"] or "[]")
        )

    def files(self, slug: str = "my-kernel", **fields) -> dict[str, str]:
        found = self("ListKernelSessionOutput", slug, pageSize=100, **fields)["files"]
        return {
            f["fileName"]: self.call.session.get(f["url"], auth=None, timeout=20).text
            for f in found
        }
