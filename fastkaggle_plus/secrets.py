"""Find keys and tokens in text before it leaves this machine."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from .exceptions import SecretFound

_SHORTEST_VALUE = 8  # of a .env file: shorter ones are switches and ports
_ASSIGNED = r"""["']?\]?\s*[:=]\s*["']?"""  # after a name: = or :, with or without quotes
_PATTERNS = {
    "Kaggle API key": rf"(?i:key){_ASSIGNED}(?P<value>[0-9a-f]{{32}})\b",
    "Kaggle API token": r"(?P<value>\bKGAT_[0-9A-Za-z]{16,})",
    "Hugging Face token": r"(?P<value>\bhf_[0-9A-Za-z]{20,})",
    "OpenAI or Anthropic key": r"(?P<value>\bsk-(?:ant-|proj-)?[0-9A-Za-z_-]{20,})",
    "AWS access key": r"(?P<value>\b(?:AKIA|ASIA)[0-9A-Z]{16}\b)",
    "AWS secret key": rf"(?i:aws_secret_access_key){_ASSIGNED}(?P<value>[0-9A-Za-z/+=]{{40}})",
    "Google API key": r"(?P<value>\bAIza[0-9A-Za-z_-]{35})",
    "GitHub token": r"(?P<value>\b(?:gh[pousr]_[0-9A-Za-z]{36,}|github_pat_[0-9A-Za-z_]{22,}))",
    "Slack token": r"(?P<value>\bxox[abprs]-[0-9A-Za-z-]{10,})",
    "Weights & Biases key": r"(?i:wandb_api_key|wandb\.login\(\s*key)"
    rf"{_ASSIGNED}(?P<value>[0-9a-f]{{40}})\b",
    "private key": r"(?P<value>-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----)",
    "password in an address": r"\b[a-z][a-z0-9+.-]*://[^\s/:@\"']+:(?P<value>[^\s/@\"'{}$]{6,})@",
}


@dataclass(frozen=True)
class Secret:
    """One key or token in a text, without its whole value."""

    kind: str
    line: int  # counted from 1
    shown: str  # its first characters


def find_secrets(
    text: str,
    *,
    known: Iterable[str] = (),  # values that are secret here, like those of a .env file
) -> list[Secret]:
    """Return everything that looks like a key or token, in the order of the text."""
    found: dict[tuple[int, str], Secret] = {}
    for n, line in enumerate(text.splitlines(), 1):
        for kind, pattern in _PATTERNS.items():
            for match in re.finditer(pattern, line):
                found.setdefault((n, match["value"]), Secret(kind, n, _shown(match["value"])))
        for value in known:
            if value and value in line and not any(value in other for m, other in found if m == n):
                kind = "a value of your .env file or credentials"
                found[n, value] = Secret(kind, n, _shown(value))
    return list(found.values())


def refuse_secrets(
    text: str,
    where: str,  # the name of the text, for the message: "cell 3"
    *,
    known: Iterable[str] = (),
) -> None:
    """Raise SecretFound if `text` has a key or token."""
    found = find_secrets(text, known=known)
    if not found:
        return
    first, more = found[0], f"There are {len(found) - 1} more. " if len(found) > 1 else ""
    raise SecretFound(
        f"{where}, line {first.line} has what looks like a secret: {first.kind}, {first.shown}. "
        f"{more}Nothing was sent. Remove it and make a new one at its service; on Kaggle use "
        "Add-ons > Secrets."
    )


def env_values(folder: str | Path) -> list[str]:
    """Return the values in the .env file of `folder` that are long enough to be secrets."""
    file = Path(folder) / ".env"
    if not file.is_file():
        return []
    lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
    pairs = (line.partition("=") for line in lines if not line.lstrip().startswith("#"))
    values = (value.strip().strip("\"'") for _, _, value in pairs)
    return [v for v in values if len(v) >= _SHORTEST_VALUE]


def _shown(value: str) -> str:
    return f"{value[:6]}... ({len(value)} characters)"
