"""The first cells of every notebook: install the library, and check that the GPU works."""

from ..kaggle_client.wheels.install_code import INSTALL

# A GPU that torch was not built for is "available", but fails at its first operation.
GPU_CHECK = """\
import os

try:
    import torch
except ModuleNotFoundError:
    torch = None

device = f"{os.cpu_count()} CPU cores"
if torch is not None and torch.cuda.is_available():
    device = f"{torch.cuda.device_count()} x {torch.cuda.get_device_name()}"
    try:
        ones = torch.ones(64, 64, device="cuda")
        assert float((ones @ ones).sum()) == 64**3
    except RuntimeError as e:
        raise RuntimeError(
            f"{device} does not work with this torch ({e}). Choose the accelerator GPU T4 x2 "
            "(Settings), or machine_shape NvidiaTeslaT4 in the metadata."
        ) from e
print("Running on", device)"""

CELLS = {"install": INSTALL, "gpu": GPU_CHECK}
