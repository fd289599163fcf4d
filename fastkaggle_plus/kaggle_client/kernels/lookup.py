"""One call to Kaggle's notebook service: which notebook and version it is about, retried if it is a read, every failure explained."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

import requests

from ...exceptions import KaggleError, NotFound
from .. import api, errors, retry
from . import error_rules

API = "kernels.kernels_api_client"


@dataclass(frozen=True)
class Kernel:
    "Which notebook, and which of its versions."

    owner: str
    slug: str
    version: int | None = None  # None = the current one

    @property
    def handle(self) -> str:
        return f"{self.owner}/{self.slug}"

    @property
    def url(self) -> str:
        return f"https://www.kaggle.com/code/{self.handle}"

    def __str__(self) -> str:
        return self.handle + (f" version {self.version}" if self.version else "")


def kernel_of(
    handle: Any,  # owner/name, owner/name/3, its address, a name of one's own, or a record with .handle and .version
    version: int | str | None,
    client: Any,
) -> Kernel:
    "Return the notebook that `handle` and `version` name."
    given = str(getattr(handle, "handle", handle)).strip()
    version = version or getattr(handle, "version", None)
    path = (
        re.sub(r"^(https?://)?(www\.)?kaggle\.com/", "", given.split("?")[0])
        .strip("/")
        .removeprefix("code/")
    )
    parts = path.split("/")
    if len(parts) == 1 and (user := client.config_values.get("username")):
        parts = [user, *parts]
    if len(parts) == 3 and parts[2].lstrip("v").isdigit():
        in_handle = parts.pop()
        version = version or in_handle
    number = str(version or 0).lstrip("v")
    if (
        len(parts[:2]) != len(parts)
        or not all(re.fullmatch(r"[\w.-]+", p) for p in parts)
        or len(parts) < 2
        or not number.isdigit()
    ):
        raise NotFound(
            f"{given!r}{f' version {version!r}' if version else ''} names no notebook. Give OWNER/NAME as in its address on "
            "kaggle.com/code, and a version as a number."
        )
    return Kernel(parts[0], parts[1], int(number) or None)


def about(request: Any, kernel: Kernel) -> Any:
    "Return `request` with the notebook filled in."
    request.user_name, request.kernel_slug = kernel.owner, kernel.slug
    if kernel.version:
        request.version_label = f"v{kernel.version}"
    return request


def send(client: Any, method: str, request: Any) -> Any:
    "Return the answer to one call, made once; failures come as they are."
    return api.send(client, method, request, api=API)


def read(
    client: Any, method: str, request: Any, *, kernel: Kernel | None = None, doing: str = "read"
) -> Any:
    "Return the answer to a call that changes nothing, retried while its failure passes."
    with explained(client, kernel=kernel, doing=doing):
        return retry.read(
            lambda: send(client, method, request),
            tries=getattr(client, "tries", 7),
            deadline_s=getattr(client, "deadline_s", 300.0),
        )


def pages(client: Any, method: str, request: Any, *, kernel: Kernel, doing: str) -> Iterator[Any]:
    "Yield the answer of every page."
    request.page_size, seen = api.PAGE_SIZE, set()
    while True:
        answer = read(client, method, request, kernel=kernel, doing=doing)
        yield answer
        token = answer.next_page_token
        if not token or token in seen:
            return
        seen.add(token)
        request.page_token = token


def explained(
    client: Any, *, kernel: Kernel | None = None, doing: str = ""
) -> contextlib.AbstractContextManager[None]:
    "Turn what requests and kaggle raise into our exceptions, in the words of notebooks."
    return api.explained(
        client,
        slug=str(kernel or "your notebooks"),
        doing=doing,
        causes=error_rules.CAUSES,
        url=kernel.url if kernel else "https://www.kaggle.com/code",
        facts=lambda client, error, *_: _with_facts(client, error, kernel),
    )


def _with_facts(client: Any, error: KaggleError, kernel: Kernel | None) -> KaggleError:
    "Return `error` with the names of your notebooks that are like the one that was not found."
    if kernel is None or not isinstance(error, NotFound) or "no notebook" not in str(error):
        return error
    with contextlib.suppress(
        requests.RequestException, ValueError, TypeError, KeyError, AttributeError
    ):
        near = get_close_matches(kernel.handle, _own(client, kernel.owner), n=3, cutoff=0.6)
        near = [] if kernel.handle in near else near
        return type(error)(
            str(error) + errors.near_names(near), status=error.status, said=error.said
        )
    return error


def _own(client: Any, owner: str) -> list[str]:
    from kagglesdk.kernels.types.kernels_api_service import ApiListKernelsRequest
    from kagglesdk.kernels.types.kernels_enums import KernelsListViewType

    request = ApiListKernelsRequest()
    request.page, request.page_size = 1, api.PAGE_SIZE
    if owner == client.config_values.get("username"):
        request.group = KernelsListViewType.PROFILE
    else:
        request.group, request.user = KernelsListViewType.EVERYONE, owner
    return [k.ref for k in send(client, "list_kernels", request).kernels if k.ref]
