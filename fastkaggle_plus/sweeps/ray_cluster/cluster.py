"""A Ray cluster: connect to it or start one here, and find what its nodes can hold."""

import contextlib
import logging
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import ray

from ...environment import core_count
from ...exceptions import ConfigError, listed

# what a task reserves: CPU and GPU in pieces, memory in bytes
Resources = Mapping[str, float]


@contextlib.contextmanager
def open_cluster(
    address: str | None,  # as for `run_ray`
) -> Iterator[None]:
    """Connect to a cluster until the block ends; without an address, start one on this machine.

    A connection that the caller opened before is used, and stays open. Raises ConfigError.
    """
    if ray.is_initialized():
        yield
        return
    options: dict[str, Any] = {"address": address or "local", "logging_level": logging.ERROR}
    if address is None:
        options |= {"num_cpus": core_count(), "include_dashboard": False}
    if not (address or "").startswith("ray://"):
        options["log_to_driver"] = False
    try:
        ray.init(**options)
    except (ConnectionError, RuntimeError, ValueError) as e:
        raise ConfigError(
            f"Cannot connect to a Ray cluster at {address}: {e}. Expected auto on a machine of the "
            "cluster, or ray://HOST:10001. `ray status` on the head node shows if it runs. If the "
            "cluster has a token, set RAY_AUTH_MODE=token. Without an address, Ray starts here."
        ) from e
    try:
        yield
    finally:
        ray.shutdown()


def alive_nodes() -> list[dict[str, Any]]:
    """Return the nodes of the cluster: NodeID, NodeManagerAddress, Resources, and more."""
    return [node for node in ray.nodes() if node["Alive"]]


def has_gpus(node_types: Sequence[Resources]) -> bool:
    """Say whether a node, or one that an autoscaler may add, has a GPU."""
    return any(has.get("GPU") for has in (*(n["Resources"] for n in alive_nodes()), *node_types))


def check_capacity(
    needs: Mapping[str, Resources],  # by the trial's name
    node_types: Sequence[Resources],  # nodes that an autoscaler may add
) -> None:
    """Raise ConfigError for a trial that no node can hold: Ray would wait for ever."""
    nodes = [(node["NodeManagerAddress"], node["Resources"]) for node in alive_nodes()]
    nodes += [("a declared node", has) for has in node_types]
    for name, need in needs.items():
        if any(_copies(need, has) for _, has in nodes):
            continue
        found = [f"{address} has {_described(has)}" for address, has in nodes]
        raise ConfigError(
            f"Trial {name!r} needs {_described(need)}, and no node can hold it: {listed(found)}. "
            "Lower threads, num_gpus or memory_mb. If an autoscaler can add larger nodes, declare "
            'them, as in node_types=[{"CPU": 16, "GPU": 1}].'
        )


def count_slots(need: Resources) -> int:
    """Return how many trials the nodes can run at a time."""
    return sum(_copies(need, node["Resources"]) for node in alive_nodes())


def _copies(need: Resources, has: Resources) -> int:
    return int(min((has.get(name, 0) + 1e-9) // amount for name, amount in need.items() if amount))


def _described(resources: Resources) -> str:
    """Return resources for a message: 2 CPUs, 0.5 GPUs, 4000 MB."""
    amounts = (f"{resources.get(name, 0):g} {name}s" for name in ("CPU", "GPU"))
    memory = f"{resources['memory'] / 2**20:.0f} MB" if resources.get("memory") else ""
    return ", ".join(filter(None, (*amounts, memory)))
