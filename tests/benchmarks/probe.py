"""Cost of a probe, as ratios of CPU seconds measured in one run.

floor   the forward passes alone, on decoded images in batches that are ready: one pass over all
        images, or two when the mirrored images are averaged in
probe   cross_validate(probe_model(...)): the same passes, the cache on disk, and 5 folds of the
        linear head with its penalty chosen in each; without decoding, like the floor
second  what another network decodes again: no file

    python tests/benchmarks/probe.py [--images 800] [--size 224] [--archs A,B] [--threads 1]

The images are the painted stand-in for Paddy, enlarged to 480x640.
"""

import argparse
import os
import tempfile
import time
from pathlib import Path

import numpy as np
import PIL.Image
import sklearn.linear_model  # noqa: F401  # imported before the clock starts
import torch
from vision_sweep import SLUG, make_data

from fastkaggle_plus import folds_for, load_comp, no_progress
from fastkaggle_plus.modeling import cross_validate, probe_model, resolve_arch
from fastkaggle_plus.modeling.frozen_head import PENALTIES
from fastkaggle_plus.modeling.hardware import autocast
from fastkaggle_plus.modeling.vision.network import make_feature_net
from fastkaggle_plus.modeling.vision.precision import predicting_precision
from fastkaggle_plus.modeling.vision.weights import fetch_weights
from fastkaggle_plus.reading.pixels import resized

BS = 64


def one_pass_s(name: str, n: int, size: int) -> float:
    """Return the CPU seconds of one forward pass over n images that are ready."""
    arch, device = resolve_arch(name), torch.device("cpu")
    net = make_feature_net(arch, size=(size, size))
    images = torch.randn(BS, 3, size, size).contiguous(memory_format=torch.channels_last)
    precision = predicting_precision("auto", device, size=(size, size))
    with torch.inference_mode(), autocast(precision, device):
        net(images)
        start = time.process_time()
        for first in range(0, n, BS):
            net(images[: n - first])
        return time.process_time() - start


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--images", type=int, default=800)
    parser.add_argument("--size", type=int, default=224, help="px of the networks' input")
    parser.add_argument("--archs", default="tf_efficientnet_lite0,squeezenet1_1", help="of timm")
    parser.add_argument("--threads", type=int, default=1)
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    with tempfile.TemporaryDirectory() as tmp, no_progress():
        files = make_data(Path(tmp), asked.images)
        comp = load_comp(SLUG)
        data = comp.read(files)
        folds = folds_for(comp, data)
        archs = asked.archs.split(",")
        for arch in archs:  # converted once a machine: not this run's time
            fetch_weights(resolve_arch(arch))
        weights = Path(os.environ.get("FKP_HOME", Path.home() / ".fastkaggle_plus"))
        home = Path(tmp) / "home"
        (home / "cache").mkdir(parents=True)
        if (weights / "cache" / "weights").is_dir():
            (home / "cache" / "weights").symlink_to(weights / "cache" / "weights")
        os.environ["FKP_HOME"] = str(home)
        start, images = time.process_time(), data.train.images
        resized(images, asked.size, method="squish")
        decode_s, n = time.process_time() - start, len(images.files)
        print(
            f"{n} images of 480x640, {asked.size} px, {asked.threads} thread(s); decoded and "
            f"resized once: {decode_s:.1f} CPU s"
        )
        make_feature_net(resolve_arch(archs[0]), size=(64, 64))  # imports what both sides need
        opened, really = [], PIL.Image.open
        PIL.Image.open = lambda file, *a, **k: (opened.append(file), really(file, *a, **k))[1]
        for arch in archs:
            for flip in (False, True):
                passes = 2 if flip else 1
                floor_s = min(one_pass_s(arch, n, asked.size) for _ in range(2)) * passes
                start = time.process_time()
                preds = cross_validate(
                    probe_model(arch, asked.size, flip=flip), data, folds, look_for_groups=False
                )
                probe_s = time.process_time() - start
                print(
                    f"{arch:<24} {'image and mirror' if flip else 'image only':<17} "
                    f"{passes} pass(es) {floor_s:6.1f} s, probe of {folds.n_folds} folds x up to "
                    f"{len(PENALTIES)} penalties {probe_s:6.1f} s: {probe_s / floor_s:.2f} x; "
                    f"accuracy {preds.oof_score:.4f} ± {preds.oof_score_se:.4f}, "
                    f"penalties {sorted({f['penalty'] for f in preds.about['fits']})}",
                    flush=True,
                )
        print(f"files decoded again by the probes of {len(archs)} networks: {len(opened)}")
        np.testing.assert_equal(len(opened), 0)


if __name__ == "__main__":
    main()
