"""Which GPUs a process may use: read from the driver's tool, without loading the driver."""

import os

import pytest

from fastkaggle_plus.environment import gpu_variables, gpus, has_gpu, variables, visible_gpus

TWO = """GPU 0: Tesla T4 (UUID: GPU-5d5ba0d6-d33d-2b2c-524d-9e3d8d2b8a77)
GPU 1: Tesla T4 (UUID: GPU-c6d4f1ab-dd92-4f0b-9c2d-0f4f1f6e3a10)
"""
DIVIDED = """GPU 0: NVIDIA H100 (UUID: GPU-5d5ba0d6-d33d-2b2c-524d-9e3d8d2b8a77)
  MIG 3g.40gb     Device  0: (UUID: MIG-c6d4f1ef)
  MIG 3g.40gb     Device  1: (UUID: MIG-cba663e8)
GPU 1: NVIDIA H100 (UUID: GPU-c6d4f1ab-dd92-4f0b-9c2d-0f4f1f6e3a10)
"""


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """Return a function that puts an nvidia-smi with this output on the path."""
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)

    def make(listed):
        tool = tmp_path / "nvidia-smi"
        tool.write_text(f"#!/bin/sh\n[ $1 = -L ] && cat <<'END'\n{listed}END\n")
        tool.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
        gpus._installed_gpus.cache_clear()

    yield make
    gpus._installed_gpus.cache_clear()


@pytest.mark.parametrize(
    ("listed", "found"),
    [(TWO, ("0", "1")), (DIVIDED, ("MIG-c6d4f1ef", "MIG-cba663e8", "1")), ("", ())],
)
def test_gpus_are_listed_and_the_parts_of_a_divided_one(machine, listed, found):
    machine(listed)
    assert visible_gpus() == found and has_gpu() == bool(found)


@pytest.mark.parametrize(
    ("named", "found"),
    [("1", ("1",)), ("1, 0", ("1", "0")), ("", ()), ("-1", ()), ("0,-1,1", ("0",))],
)
def test_cuda_visible_devices_hides_gpus(machine, named, found):
    machine(TWO)
    with variables({"CUDA_VISIBLE_DEVICES": named}):
        assert visible_gpus() == found and has_gpu() == bool(found)
    with variables(gpu_variables()):
        assert not has_gpu()
    assert visible_gpus() == ("0", "1")


def test_a_variable_alone_is_no_gpu(machine):
    machine("")
    with variables({"CUDA_VISIBLE_DEVICES": "0"}):
        assert visible_gpus() == ()
