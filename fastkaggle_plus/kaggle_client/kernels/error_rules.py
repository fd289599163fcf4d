"""What Kaggle's notebook service said -> our exception, with a next step. One row per cause; the first row that fits wins."""

from __future__ import annotations

from ...exceptions import (
    BadCredentials,
    KaggleError,
    NotFound,
    PermissionDenied,
    PushRefused,
    QuotaReached,
    RateLimited,
)
from .. import errors
from ..errors import Cause

UNKNOWN = (
    "Kaggle knows no notebook {slug!r} that you may read. Its name is the end of its address, kaggle.com/code/OWNER/NAME: mistyped, "
    "renamed with its title, deleted, or private to somebody else."
)

CAUSES = (
    Cause(
        (401,),
        "",
        BadCredentials,
        "Kaggle refused {who}. Make a new token or key at https://www.kaggle.com/settings/api and put it where the old one was; "
        "a stale KAGGLE_API_TOKEN or ~/.kaggle/access_token wins over kaggle.json.",
    ),
    Cause(
        (400, 403),
        r"phone|verif",
        PermissionDenied,
        "Kaggle asks for a verified account before a notebook may use a GPU or the internet. Verify your phone number at "
        "https://www.kaggle.com/settings, then call again.",
    ),
    Cause(
        (400, 403),
        r"session count|quota|accelerator.*(limit|hours)",
        QuotaReached,
        "No accelerator session or hour is left for {slug}. `kaggle quota`, or quota() here, tells when it is refreshed.",
    ),
    Cause((403,), r"kernels\.get", NotFound, UNKNOWN),
    Cause(
        (403,),
        r"kernels\.\w+",
        PermissionDenied,
        "You may not {doing} {slug}: it belongs to another user. Push under your own user name.",
    ),
    Cause(
        (403,),
        "",
        PermissionDenied,
        "Kaggle does not let you {doing} {slug}. Open {url} in a browser with this account to see what you may do.",
    ),
    Cause(
        (404,),
        r"\bversion",
        NotFound,
        "Kaggle has no {slug}. Its versions are listed at {url}, behind the version number.",
    ),
    Cause(
        (404,),
        r"\bfile\b|\boutput\b",
        NotFound,
        "{slug} has no such output file. Its files are listed at {url}/output.",
    ),
    Cause((404,), "", NotFound, UNKNOWN),
    Cause(
        (409,),
        "",
        PushRefused,
        "{slug} is being changed by another request. Look at {url}, then call again.",
    ),
    Cause(
        (400,),
        r"title|slug|name",
        PushRefused,
        "Kaggle does not take the title or name of {slug}. The name is the title in lower case with dashes, 5 to 50 characters, and free "
        "among your notebooks.",
    ),
    Cause(
        (400, 413),
        "",
        KaggleError,
        "Kaggle calls the request to {doing} {slug} malformed. Check the name OWNER/NAME, the inputs and the accelerator.",
    ),
    Cause(
        (429,),
        "",
        RateLimited,
        "Too many requests: Kaggle asks to wait {wait}. Poll less often, then call again; nothing is pushed twice.",
    ),
)

# The words in a push's `error` field, which comes with HTTP 200.
SESSION_CAP = r"maximum .*session count"
NO_HOURS = r"quota|hours? (left|remaining)"

# Of CreateCodeSubmission, where {slug} is the competition; then what every submission may meet.
CODE_CAUSES = (
    Cause(
        (400, 403),
        r"internet",
        PermissionDenied,
        "{slug} takes notebooks without internet only. Push the notebook with internet=False, its libraries from a dataset, and submit that "
        "version.",
    ),
    Cause(
        (400, 409),
        r"(still|is) (running|queued|error|cancel)|not (yet )?(complete|finish|ended|run)|(ended|failed) (in|with) an? error|did not complete",
        PermissionDenied,
        "{slug} takes a notebook version that has ended well. `fkp status OWNER/NAME` says what it is doing, `fkp output OWNER/NAME` "
        "fetches the log of one that failed: mend it and push it again.",
    ),
    Cause(
        (400, 404),
        r"\b(output|file)\b",
        NotFound,
        "The notebook version has not written the file to be submitted to {slug}. `fkp output OWNER/NAME` fetches what it wrote; name the file "
        "as it is there.",
    ),
    Cause(
        (400,),
        r"not (a )?(code|notebook|kernel)|(does not|only) (accept|take)\w* (notebook|kernel|file|csv)|only accepts? files",
        PermissionDenied,
        "{slug} takes files, not notebooks: use submit with the csv.",
    ),
    Cause(
        (403, 404),
        r"kernel|notebook|version",
        NotFound,
        "Kaggle knows no such notebook version that you may submit to {slug}. Give OWNER/NAME as in its address, and a version that exists.",
    ),
    *errors.CAUSES,
)
