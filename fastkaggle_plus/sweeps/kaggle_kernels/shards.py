"""Shards: the trials of one kernel, and the files in the vault that remember what was sent."""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from ...files import write_atomically
from ...kaggle_client.kernels.sweep_kernels import PREFIX
from ..vault import Vault


@dataclass(frozen=True)
class Shard:
    """One kernel of a sweep."""

    name: str  # of the kernel: fkp-HASH-NUMBER; it gets one version only
    trials: tuple[str, ...]  # names, longest first
    expected_s: float  # of the session, until its last trial ends
    deadline_s: float  # after this time its script ends itself
    version: int = 0  # on Kaggle; 0: not known to be there
    started: float = 0.0  # when it was first seen running, seconds since 1970; 0: not yet
    ended: str = ""  # how: done | deadline | died | deleted

    @property
    def title(self) -> str:
        """The title from which Kaggle makes the name."""
        return self.name.replace("-", " ")


class Shards:
    """The shards of one sweep, on disk: a new process continues where a killed one stopped."""

    def __init__(self, vault: Vault, keys: Iterable[str]):
        digest = hashlib.sha256("\n".join(sorted(keys)).encode()).hexdigest()[:8]
        self.prefix = f"{PREFIX}{digest}-"
        self.folder = vault.folder / "kernels" / f"{PREFIX}{digest}"

    def all(self) -> list[Shard]:
        """Return every shard, oldest first."""
        found = [json.loads(file.read_text("utf-8")) for file in self.folder.glob("*.json")]
        shards = [Shard(**{**facts, "trials": tuple(facts["trials"])}) for facts in found]
        return sorted(shards, key=lambda shard: shard.name)

    def save(self, shard: Shard) -> Shard:
        """Store the state of a shard."""
        self.folder.mkdir(parents=True, exist_ok=True)
        write_atomically(self.folder / f"{shard.name}.json", json.dumps(asdict(shard), indent=1))
        return shard

    def forget(self, shard: Shard) -> None:
        """Remove a shard that was not sent."""
        for suffix in (".json", ".py"):
            (self.folder / f"{shard.name}{suffix}").unlink(missing_ok=True)

    def new_name(
        self,
        others: Iterable[str] = (),  # names of kernels that Kaggle has
    ) -> str:
        """Return a name that no shard has had."""
        names = [*(shard.name for shard in self.all()), *others]
        numbers = [int(n.removeprefix(self.prefix)) for n in names if n.startswith(self.prefix)]
        return f"{self.prefix}{max(numbers, default=0) + 1:02}"

    def script(self, shard: Shard) -> Path:
        """Return the file of a shard's code."""
        return self.folder / f"{shard.name}.py"

    def output(self, shard: Shard) -> Path:
        """Return the folder of the files that its kernel wrote."""
        return self.folder / shard.name
