"""Advise on a notebook that failed: error text -> next step. The first row that fits is used."""

import importlib.metadata
import re

_NO_PACKAGE = (
    "{package} is neither in Kaggle's image nor among the attached wheels. Make a dataset of its "
    "wheels with `fkp libs {name} --live`, attach it (`fkp push --dataset "
    "OWNER/library-{slug}`), and install it in the first cell: !pip install --no-index "
    "--find-links /kaggle/input/datasets/OWNER/library-{slug} {name}"
)
# For a run. Group 1 is the name of a module.
_RUN = (
    (r"(?:^|[^\w.])([\w.-]+) is not installed\. Install it with: pip install", _NO_PACKAGE),
    (r"No module named '([\w.]+)'", _NO_PACKAGE),
    (
        r"WeightsMissing",
        "`fkp push` attaches the models that the trials name: name it in a trial, or attach it "
        "yourself (--dataset OWNER/NAME, --model ...).",
    ),
    (
        r"(?i)time limit|timeout exceeded|timed out after|allowed execution duration",
        "Run fewer trials or folds, or fit beforehand and attach the fitted models.",
    ),
    (
        r"name resolution|NameResolutionError|Network is unreachable|Max retries exceeded"
        r"|getaddrinfo failed",
        "A notebook without internet cannot download: put the files into a dataset and attach it.",
    ),
)
# For the re-run that is scored.
_SCORED = (
    (
        r"(?i)timeout|time limit|allowed compute",
        "Its re-run has all hidden rows, more than the visible ones: the time per row must be low "
        "enough for all of them. Fit beforehand and attach the fitted models, or use a smaller "
        "model.",
    ),
    (
        r"(?i)csv not found|did not write|no output file",
        "Every run has to write it into the working folder: end with write_submission(preds, comp, "
        "path).",
    ),
    (
        r"(?i)\brows?\b|ids are (?:missing|not)|not in the test set",
        "The hidden test set has other rows, and more of them, than the visible one: read ids and "
        "their number from the files of the same run, as write_submission does, never from here.",
    ),
    (
        r"(?i)internet",
        "Push it with internet=False (--no-internet), its libraries and models from datasets, and "
        "submit that version.",
    ),
)
_ANY = (
    "Its re-run on the hidden test set failed, or wrote an invalid {file_name}. Compare it with "
    "the sample submission, and do not rely on the visible test set's rows or size, or on "
    "the internet."
)


def after_a_run(
    message: str,  # the end of the log, with the failure message
) -> str:
    """Return advice about a run that failed with this message, '' without any."""
    for pattern, hint in _RUN:
        found = list(re.finditer(pattern, message))
        if found and hint is _NO_PACKAGE:
            return _advise_on_package(found[-1][1].split(".")[0])
        if found:
            return hint
    return ""


def after_scoring(message: str, file_name: str) -> str:
    """Return advice about a code submission that was scored as an error."""
    default = _ANY.format(file_name=file_name)
    if re.search("(?i)exception", message):  # in the author's code: it can be about anything
        return after_a_run(message) or default
    return next((hint for pattern, hint in _SCORED if re.search(pattern, message)), default)


def _advise_on_package(module: str) -> str:
    """Name the module's package, if it is installed here by the package's own name."""
    name = importlib.metadata.packages_distributions().get(module, [module])[0]
    slug = re.sub(r"[^a-z0-9]+", "-", name.lower())
    package = name if name == module else f"{module} (of the package {name})"
    return _NO_PACKAGE.format(package=package, name=name, slug=slug)
