"""What the last words of a notebook that failed mean for its author: what to do next. One row per cause; the first row that fits wins."""

from __future__ import annotations

import importlib.metadata
import re

# Of a run. \1 is what the words name.
_RUN = (
    (
        r"(?:^|[^\w.])([\w.-]+) is not installed\. Install it with: pip install",
        "{package} is neither in Kaggle's image nor among the attached wheels. {wheels}",
    ),
    (
        r"No module named '([\w.]+)'",
        "{package} is neither in Kaggle's image nor among the attached wheels. {wheels}",
    ),
    (
        r"WeightsMissing",
        "`fkp push` attaches the models that the trials name: name it in a trial, or attach it yourself (--dataset OWNER/NAME, --model ...).",
    ),
    (
        r"(?i)time limit|timeout exceeded|timed out after",
        "Run fewer trials or folds, or fit beforehand and attach what was fitted.",
    ),
    (
        r"name resolution|NameResolutionError|Network is unreachable|Max retries exceeded|getaddrinfo failed",
        "A notebook without internet fetches nothing: put what it wants into a dataset and attach that.",
    ),
)
_WHEELS = (
    "Make a dataset of its wheels with `fkp libs {name}`, attach it (`fkp push --dataset OWNER/library-{slug}`), and install it in the first cell: "
    "!pip install --no-index --find-links /kaggle/input/datasets/OWNER/library-{slug} {name}"
)

# Of the run that scores.
_SCORED = (
    (
        r"(?i)timeout|time limit|allowed compute",
        "Its re-run meets all hidden rows, more than are seen: what takes time a row must fit them all. Fit beforehand and attach what was fitted, or take a "
        "smaller model.",
    ),
    (
        r"(?i)csv not found|did not write|no output file",
        "Every run has to write it into the working folder: end with write_submission(preds, comp, path).",
    ),
    (
        r"(?i)\brows?\b|ids are (?:missing|not)|not in the test set",
        "The hidden test set has other rows and more of them than the one that is seen: take ids and their number from the files of that very run, as "
        "write_submission does, never from here.",
    ),
    (
        r"(?i)internet",
        "Push it with internet=False (--no-internet), its libraries and models from datasets, and submit that version.",
    ),
)
ANY = (
    "Its re-run on the hidden test set failed, or wrote no sound {file_name}. Compare it with the sample submission, and do not rely on the visible test "
    "set's rows, size or the internet."
)


def after_a_run(said: str) -> str:
    "Return what to do about a run that ended with these words; nothing where they do not tell."
    for pattern, hint in _RUN:
        if found := list(re.finditer(pattern, said)):
            return hint.format(**_package(found[-1])) if "{package}" in hint else hint
    return ""


def after_scoring(said: str, file_name: str) -> str:
    "Return what to do about a submission that was scored as an error."
    anything = ANY.format(file_name=file_name)
    if re.search("(?i)exception", said):  # of the author's code, whose words may be about anything
        return after_a_run(said) or anything
    return next((hint for pattern, hint in _SCORED if re.search(pattern, said)), anything)


def _package(match: re.Match[str]) -> dict[str, str]:
    "The words about a package that brings a module: by its own name where it is installed here."
    module = match[1].split(".")[0]
    name = importlib.metadata.packages_distributions().get(module, [module])[0]
    slug = re.sub(r"[^a-z0-9]+", "-", name.lower())
    return {
        "package": name if name == module else f"{module} (of the package {name})",
        "wheels": _WHEELS.format(name=name, slug=slug),
    }
