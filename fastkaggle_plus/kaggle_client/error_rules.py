"""The texts of all refusals by Kaggle: answer -> our exception, with a next step.

One table a service; the first rule that fits is used. {name} is the thing asked about, {url} its
page, {doing} the verb.
"""

from dataclasses import dataclass

from ..exceptions import (
    BadCredentials,
    DailyLimitReached,
    DatasetFailed,
    DeadlinePassed,
    KaggleError,
    NameTaken,
    NotFound,
    PermissionDenied,
    PushRefused,
    QuotaReached,
    RateLimited,
    RulesNotAccepted,
    UploadFailed,
)


@dataclass(frozen=True)
class Rule:
    """One reason for a refusal: which answer means it, and what to say."""

    statuses: tuple[int, ...]
    words: str  # a pattern in the service's message, "" = any
    error: type[KaggleError]
    message: str


SETTINGS = "https://www.kaggle.com/settings"
NO_CREDENTIALS = (
    "No Kaggle credentials found. Give them in one of three ways: (1) an API token from "
    f"{SETTINGS}/api in the environment variable KAGGLE_API_TOKEN or the file "
    "~/.kaggle/access_token; (2) kaggle.json with your user name and key in ~/.kaggle/, or both in "
    "KAGGLE_USERNAME and KAGGLE_KEY; (3) `kaggle auth login` in a terminal. In a Kaggle notebook, "
    "add the secrets `kaggle_username` and `kaggle_key` (Add-ons > Secrets)."
)
RULES_NOT_ACCEPTED = (
    "The rules of {name} are not accepted. Accept them at {url}/rules, then call again."
)
DAILY_LIMIT = "No submissions left today for {name}. The limit resets at 00:00 UTC, in {hours}."
NAME_TAKEN = (
    "The name of {name} is taken: {url}. If that dataset is yours, make a new version of it with "
    "push_dataset; else choose another title."
)
NO_SESSION = "No accelerator session or hour is left for {name}."
NO_COMPETITION = (
    "Kaggle knows no competition {name!r} that you may read: the name is mistyped, or the "
    "competition is private and you were not invited."
)
_NO_DATASET = (
    "Kaggle knows no dataset {name!r} that you may read: the name is mistyped (it is OWNER/SLUG, "
    "as in its address), or it is private and not yours."
)
_NO_NOTEBOOK = (
    "Kaggle knows no notebook {name!r} that you may read. Its name is the end of its address, "
    "kaggle.com/code/OWNER/NAME: mistyped, renamed with its title, deleted, or private."
)
_MALFORMED = "Kaggle calls the request to {doing} {name} malformed. Check "
_NOT_ALLOWED = "Kaggle does not let you {doing} {name}. "
_VERIFY = (
    f"{{name}} needs a verified account. Verify your phone number at {SETTINGS}, then call again."
)
_FILES_AT = "{name} has no such file. Its files are listed at {url}/data."

# The words in the `error` field of a push, which has HTTP status 200.
SESSION_CAP = r"maximum .*session count"
NO_HOURS = r"quota|hours? (left|remaining)"

BAD_CREDENTIALS = Rule(
    (401,),
    "",
    BadCredentials,
    f"Kaggle refused {{who}}. Make a new token or key at {SETTINGS}/api and put it where the old "
    "one was; a stale KAGGLE_API_TOKEN or ~/.kaggle/access_token is used before kaggle.json.",
)
TOO_MANY = Rule(
    (429,),
    "",
    RateLimited,
    "Too many requests: Kaggle asks to wait {wait}. Then call again; nothing is sent twice.",
)
ANY_SERVICE = (BAD_CREDENTIALS, TOO_MANY)
EXPIRED_UPLOAD = Rule(
    (400,),
    r"token|blob|upload",
    UploadFailed,
    "Kaggle no longer knows the uploaded files: upload sessions expire. Call again.",
)

COMPETITION = (
    *ANY_SERVICE,
    Rule((400, 403), r"\brules?\b", RulesNotAccepted, RULES_NOT_ACCEPTED),
    Rule((400, 403), r"phone|verif", PermissionDenied, _VERIFY),
    Rule(
        (400, 403),
        r"(daily|maximum|allotted|too many|limit|quota)\D*submi"
        r"|submi\w*\D*(limit|quota|allowance|remaining|per day|left)",
        DailyLimitReached,
        DAILY_LIMIT,
    ),
    Rule(
        (400, 403),
        r"deadline|has (ended|closed|finished)|is closed|no longer accept"
        r"|submissions? (are|is) (disabled|closed)",
        DeadlinePassed,
        "{name} takes no more submissions: its deadline has passed. Late submissions: {url}.",
    ),
    Rule(
        (400, 403),
        r"merge|\bteam\b.*\b(left|member|changed|removed)|(left|member of|removed from)\D*\bteam",
        PermissionDenied,
        "Your team in {name} has changed. After a merge, submit as a member of the new team: "
        "{url}/team.",
    ),
    Rule(
        (400,),
        r"(notebook|kernel|code)s?[- ](only|competition|submission)|submit.*(notebook|kernel)",
        PermissionDenied,
        "{name} is a code competition: it takes notebooks, not files. Submit a notebook version at "
        "{url}.",
    ),
    EXPIRED_UPLOAD,
    Rule(
        (400,),
        "",
        KaggleError,
        _MALFORMED + "the competition's name, the file's name and the description (at most 500 "
        "characters).",
    ),
    Rule(
        (403,),
        r"competitions\.participate",
        PermissionDenied,
        "You may not submit to {name}: it is private, or you have not joined it. Join and accept "
        "the rules at {url}/rules.",
    ),
    Rule((403,), r"competitions\.\w+", NotFound, NO_COMPETITION),
    Rule((404,), r"\bfile\b", NotFound, _FILES_AT),
    Rule(
        (404,),
        r"\bsubmission\b",
        NotFound,
        "{name} has no such submission of yours. See {url}/submissions.",
    ),
    Rule((404,), "", NotFound, NO_COMPETITION),
    Rule(
        (403,),
        "",
        PermissionDenied,
        _NOT_ALLOWED + "It may be private, or for invited users: open {url} in a browser with this "
        "account.",
    ),
)

# A notebook version submitted to a code competition; then what every submission may meet.
CODE_SUBMISSION = (
    Rule(
        (400, 403),
        r"internet",
        PermissionDenied,
        "{name} takes only notebooks without internet. Push the notebook with internet=False, its "
        "libraries from a dataset, and submit that version.",
    ),
    Rule(
        (400, 409),
        r"(still|is) (running|queued|error|cancel)|not (yet )?(complete|finish|ended|run)"
        r"|(ended|failed) (in|with) an? error|did not complete",
        PermissionDenied,
        "{name} takes only a notebook version that has completed. `fkp status OWNER/NAME --live` "
        "shows its state, `fkp output OWNER/NAME --live` fetches the log of a failed one: fix it "
        "and push it again.",
    ),
    Rule(
        (400, 404),
        r"\b(output|file)\b",
        NotFound,
        "The notebook version has not written the file to submit to {name}. `fkp output "
        "OWNER/NAME --live` fetches what it wrote; use the name of a file there.",
    ),
    Rule(
        (400,),
        r"not (a )?(code|notebook|kernel)|only accepts? files"
        r"|(does not|only) (accept|take)\w* (notebook|kernel|file|csv)",
        PermissionDenied,
        "{name} takes files, not notebooks: use submit with the csv.",
    ),
    Rule(
        (403, 404),
        r"kernel|notebook|version",
        NotFound,
        "Kaggle knows no such notebook version that you may submit to {name}. Give OWNER/NAME as "
        "in its address, and a version that exists.",
    ),
    *COMPETITION,
)

DATASET = (
    *ANY_SERVICE,
    Rule(
        (400, 403, 409),
        r"already (in use|exists?|taken|used)|\btaken\b|\bduplicate",
        NameTaken,
        NAME_TAKEN,
    ),
    Rule((400, 403), r"phone|verif", PermissionDenied, _VERIFY),
    Rule(
        (400, 403),
        r"quota|storage|too (large|big)|size limit|exceed",
        DatasetFailed,
        "{name} is too big for your account. Private datasets share a quota: see "
        f"{SETTINGS} and delete what you no longer need.",
    ),
    Rule(
        (413,),
        "",
        DatasetFailed,
        "A file of {name} is too big for Kaggle. Split it, or leave it out.",
    ),
    EXPIRED_UPLOAD,
    Rule(
        (400,),
        "",
        DatasetFailed,
        _MALFORMED + "title, slug, license, subtitle and keywords in dataset-metadata.json.",
    ),
    Rule((403,), r"datasets\.\w+", NotFound, _NO_DATASET),
    Rule((404,), r"\bversion\b", NotFound, "{name} has no such version. See {url}/versions."),
    Rule((404,), r"\bfile\b", NotFound, _FILES_AT),
    Rule((404,), "", NotFound, _NO_DATASET),
    Rule(
        (403,),
        "",
        PermissionDenied,
        _NOT_ALLOWED + "It may be private: open {url} in a browser with this account.",
    ),
)

KERNEL = (
    *ANY_SERVICE,
    Rule(
        (400, 403),
        r"phone|verif",
        PermissionDenied,
        "Kaggle needs a verified account before a notebook may use a GPU or the internet. Verify "
        f"your phone number at {SETTINGS}, then call again.",
    ),
    Rule(
        (400, 403),
        r"session count|quota|accelerator.*(limit|hours)",
        QuotaReached,
        NO_SESSION + " `kaggle quota`, or quota() here, shows when hours are free again.",
    ),
    Rule((403,), r"kernels\.get", NotFound, _NO_NOTEBOOK),
    Rule(
        (403,),
        r"kernels\.\w+",
        PermissionDenied,
        "You may not {doing} {name}: it belongs to another user. Push under your own user name.",
    ),
    Rule(
        (403,),
        "",
        PermissionDenied,
        _NOT_ALLOWED + "Open {url} in a browser with this account to see what you may do.",
    ),
    Rule(
        (404,),
        r"\bversion",
        NotFound,
        "Kaggle has no {name}. Its versions are listed at {url}, behind the version number.",
    ),
    Rule(
        (404,),
        r"\bfile\b|\boutput\b",
        NotFound,
        "{name} has no such output file. Its files are listed at {url}/output.",
    ),
    Rule((404,), "", NotFound, _NO_NOTEBOOK),
    Rule(
        (409,),
        "",
        PushRefused,
        "Another request is changing {name}. Look at {url}, then call again.",
    ),
    Rule(
        (400,),
        r"title|slug|name",
        PushRefused,
        "Kaggle does not take the title or name of {name}. The name is the title in lower case "
        "with dashes, 5 to 50 characters, and unused among your notebooks.",
    ),
    Rule((400, 413), "", KaggleError, _MALFORMED + "the name OWNER/NAME, inputs and accelerator."),
)
