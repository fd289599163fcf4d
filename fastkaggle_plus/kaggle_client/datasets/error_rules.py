"""Why Kaggle refused something about a dataset -> our exception, with a next step."""

from __future__ import annotations

import re

from ...exceptions import DatasetFailed, NameTaken, NotFound, PermissionDenied, UploadFailed
from .. import errors
from ..errors import Cause

UNKNOWN = (
    "Kaggle knows no dataset {slug!r} that you may read: the name is mistyped (it is OWNER/SLUG, as in its address), "
    "or it is private and not yours."
)
TAKEN = (
    "The name of {slug} is taken: {url}. If that dataset is yours, make a new version of it with "
    "push_dataset; else choose another title."
)
_TAKEN = r"already (in use|exists?|taken|used)|\btaken\b|\bduplicate"


def url_of(
    handle: str,  # owner/slug
) -> str:
    "Return a dataset's page for people."
    return f"https://www.kaggle.com/datasets/{handle}"


CAUSES = (
    *(
        c for c in errors.CAUSES if c.statuses in ((401,), (429,))
    ),  # the same whatever was asked for
    Cause((400, 403, 409), _TAKEN, NameTaken, TAKEN),
    Cause(
        (400, 403),
        r"phone|verif",
        PermissionDenied,
        "{slug} asks for a verified account. Verify your phone number at https://www.kaggle.com/settings, then call again.",
    ),
    Cause(
        (400, 403),
        r"quota|storage|too (large|big)|size limit|exceed",
        DatasetFailed,
        "{slug} is too big for your account. Private datasets share a quota: see https://www.kaggle.com/settings and delete what you no longer need.",
    ),
    Cause(
        (413,),
        "",
        DatasetFailed,
        "A file of {slug} is too big for Kaggle. Split it, or leave it out.",
    ),
    Cause(
        (400,),
        r"token|blob|upload",
        UploadFailed,
        "Kaggle no longer knows the uploaded files: upload sessions expire. Call again.",
    ),
    Cause(
        (400,),
        "",
        DatasetFailed,
        "Kaggle calls the request to {doing} {slug} malformed. Check its title, slug, license, subtitle and keywords in dataset-metadata.json.",
    ),
    Cause((403,), r"datasets\.\w+", NotFound, UNKNOWN),
    Cause((404,), r"\bversion\b", NotFound, "{slug} has no such version. See {url}/versions."),
    Cause(
        (404,),
        r"\bfile\b",
        NotFound,
        "{slug} has no such file. Its files are listed at {url}/data.",
    ),
    Cause((404,), "", NotFound, UNKNOWN),
    Cause(
        (403,),
        "",
        PermissionDenied,
        "Kaggle does not let you {doing} {slug}. It may be private: open {url} in a browser with this account.",
    ),
)


def refused(
    handle: str,
    said: str,  # the service's `error`, in an answer that is HTTP 200
) -> NameTaken | DatasetFailed:
    "Return the exception for a dataset or version that Kaggle did not make."
    cause = next(
        (c for c in CAUSES if 400 in c.statuses and re.search(c.words, said, re.IGNORECASE)), None
    )
    text = (
        cause.message.format(slug=handle, url=url_of(handle), doing="make") if cause else ""
    ) + f" Kaggle said: {said or 'nothing'}"
    return (NameTaken if cause and cause.error is NameTaken else DatasetFailed)(
        text.strip(), said=said
    )
