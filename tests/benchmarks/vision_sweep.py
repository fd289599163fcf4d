"""Time a sweep of three image models with test-time augmentation, as ratios measured in one run.

plain   the course's recipe (Road to the Top, part 2) with fastai alone, on resized files
ours    run_local on the files as downloaded, decoding included; `fkp sweep` does the same
floor   the same forward and backward passes on ready tensors, in the faster of full and half
        precision; without loading, augmentation, optimizer or import

    python tests/benchmarks/vision_sweep.py [--seeds 3] [--archs resnet26d,tf_efficientnet_lite0]

The images are the painted stand-in for Paddy, enlarged to 480x640, and so are the accuracies. They
are compared by a paired test over the seeds. On a GPU everything runs there: the plain script with
loader processes and fp16, the floor in fp16.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd

from fastkaggle_plus import Sweep, Trial, Vault, load_comp, run_local

SLUG = "paddy-disease-classification"
RECIPE = dict(item=192, batch=128, epochs=1, lr=0.01, bs=64)
HOLDOUT = 0.2

PLAIN = r"""
import json, sys, warnings
warnings.simplefilter("ignore")
import numpy as np, pandas as pd, torch
from fastai.vision.all import *

facts = json.loads(sys.argv[1])
path, archs, seed = Path(facts["path"]), facts["archs"], facts["seed"]
rows = pd.read_csv(path / "train.csv").assign(is_valid=np.load(facts["valid"]))
rows["file"] = "train_images/" + rows["label"] + "/" + rows["image_id"]
tests = sorted((path / "test_images").iterdir())
out = {}
for arch in archs:
    set_seed(seed)
    dls = ImageDataLoaders.from_df(
        rows, path, fn_col="file", label_col="label", valid_col="is_valid", bs=64,
        item_tfms=Resize(192), batch_tfms=aug_transforms(size=128, min_scale=0.75),
    )
    learn = vision_learner(dls, arch, metrics=error_rate, **facts["weights"][arch])
    if torch.cuda.is_available():
        learn.to_fp16()
    with learn.no_bar(), learn.no_logging():
        learn.fine_tune(1, 0.01)
        valid, targs = learn.tta(dl=dls.valid)
        learn.tta(dl=dls.test_dl(tests))
        plain, _ = learn.get_preds(dl=dls.valid)
    out[arch] = {
        "tta": (valid.float().argmax(1) == targs).tolist(),
        "plain": (plain.float().argmax(1) == targs).tolist(),
    }
Path(facts["out"]).write_text(json.dumps(out))
"""


def make_data(folder: Path, n: int) -> Path:
    """Write the stand-in at Paddy's size and return the folder that a competitor downloads."""
    bundle = (
        load_comp(SLUG)
        .module("rehearsal")
        .make(folder / "bundle", seed=42, n_images=n, height_px=160, width_px=120)
    )
    from PIL import Image

    files = (
        next(p for p in (bundle, bundle / SLUG, folder / "bundle" / SLUG) if (p / "files").is_dir())
        / "files"
    )

    def enlarge(file: Path) -> None:
        with Image.open(file) as image:
            large = image.resize((image.width * 4, image.height * 4), Image.Resampling.BICUBIC)
        file.unlink()  # it may be linked to a cache
        large.save(file, quality=90)

    with ThreadPoolExecutor() as pool:
        list(pool.map(enlarge, files.rglob("*.jpg")))
    return files


def time_plain(
    files: Path, folder: Path, archs: list[str], valid: np.ndarray, seed: int
) -> tuple[float, dict]:
    """Run the plain script on files resized to 256 px; return (seconds, for each row if right)."""
    small = folder / "small"
    if not small.exists():
        resize = (
            "import sys; from fastai.vision.all import *; "
            "resize_images(Path(sys.argv[1]), max_size=256, recurse=True, dest=Path(sys.argv[2]))"
        )
        subprocess.run(
            [sys.executable, "-W", "ignore", "-c", resize, str(files), str(small)],
            check=True,
            stdout=subprocess.DEVNULL,
        )
        (small / "train.csv").write_bytes((files / "train.csv").read_bytes())
    np.save(folder / "valid.npy", valid)
    facts = {
        "path": str(small),
        "archs": archs,
        "seed": seed,
        "valid": str(folder / "valid.npy"),
        "out": str(folder / "plain.json"),
        "weights": weights_of(archs),
    }
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", PLAIN, json.dumps(facts)], check=True)
    return time.perf_counter() - start, json.loads((folder / "plain.json").read_text())


def weights_of(archs: list[str]) -> dict[str, dict]:
    """Return the weights for both: of an installed package, else none. Nothing is downloaded."""
    from fastkaggle_plus.modeling import resolve_arch
    from fastkaggle_plus.modeling.vision.weights import find_weights

    files = {arch: getattr(find_weights(resolve_arch(arch)), "file", "") for arch in archs}
    return {
        arch: {"pretrained_cfg_overlay": {"file": file}} if file else {"pretrained": False}
        for arch, file in files.items()
    }


def time_ours(files: Path, folder: Path, archs: list[str], seed: int) -> tuple[float, dict]:
    """Run the sweep on the files as they are and return (seconds, predictions by arch)."""
    weights = weights_of(archs)  # converted once a machine: not this sweep's time
    trials = tuple(
        Trial(
            a,
            "vision.vision_model",
            {
                "arch": a,
                "pretrained": weights[a].get("pretrained", True),
                "tta": "beta",
                "seed": seed,
                **RECIPE,
            },
        )
        for a in archs
    )
    comp = load_comp(SLUG)
    threads = os.cpu_count() or 1
    start = time.perf_counter()
    results = run_local(
        Sweep(SLUG, trials, seed=42, holdout=HOLDOUT),
        comp,
        files,
        vault=Vault(folder / f"vault{seed}"),
        threads=threads,
    )
    took = time.perf_counter() - start
    for r in results:
        if r.predictions is None:
            raise SystemExit(f"{r.name}: {r.error}")
        print(
            f"  {r.name}: {r.predictions.seconds_s:.1f} s, {r.predictions.about['fits']}",
            file=sys.stderr,
            flush=True,
        )
    return took, {r.name: r.predictions for r in results}


FLOOR = r"""
import json, sys, time, warnings
warnings.simplefilter("ignore")
import torch
from fastkaggle_plus.modeling import resolve_arch
from fastkaggle_plus.modeling.vision.network import make_net

facts = json.loads(sys.argv[1])
device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
half = torch.float16 if device.type == "cuda" else torch.bfloat16

def timed(run):
    run()
    if device.type == "cuda": torch.cuda.synchronize()
    start = time.perf_counter()
    run()
    if device.type == "cuda": torch.cuda.synchronize()
    return time.perf_counter() - start

total = 0.0
for arch in facts["archs"]:
    net = make_net(resolve_arch(arch), 10, size=(128, 128), pretrained=False).to(device)
    def batch(n):
        images = torch.randn(n, 3, 128, 128, device=device)
        return images.contiguous(memory_format=torch.channels_last)
    x, y = batch(64), torch.zeros(64, dtype=torch.long, device=device)
    def step(dtype):
        with torch.autocast(device.type, dtype or half, enabled=dtype is not None):
            loss = torch.nn.functional.cross_entropy(net(x).float(), y)
        loss.backward()
        net.zero_grad()
    def infer(z, dtype):
        enabled = dtype is not None
        with torch.inference_mode(), torch.autocast(device.type, dtype or half, enabled=enabled):
            net(z)
    net.train()
    train = min(timed(lambda d=d: [step(d) for _ in range(3)]) / 3 for d in (None, half))
    net.eval()
    z = batch(128)
    see = min(timed(lambda d=d: [infer(z, d) for _ in range(2)]) / 256 for d in (None, half))
    total += 2 * facts["steps"] * train + 5 * facts["seen"] * see
print(total)
"""


def time_floor(archs: list[str], n_fit: int, n_seen: int) -> float:
    """Return the seconds of the forward and backward passes alone.

    They are a frozen and a full epoch, and five views of each predicted image.
    """
    facts = {"archs": archs, "steps": n_fit // RECIPE["bs"], "seen": n_seen}
    done = subprocess.run(
        [sys.executable, "-c", FLOOR, json.dumps(facts)], check=True, capture_output=True, text=True
    )
    return float(done.stdout.split()[-1])


def paired(ours: np.ndarray, plain: np.ndarray) -> str:
    from scipy.stats import binomtest

    wins, losses = int((ours & ~plain).sum()), int((~ours & plain).sum())
    p = binomtest(wins, wins + losses).pvalue if wins + losses else 1.0
    shown = [f"{side.mean():.3f} ± {side.std() / len(side) ** 0.5:.3f}" for side in (ours, plain)]
    return f"{shown[0]} ours, {shown[1]} plain, McNemar p = {p:.2f}"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=1, help="of training; the split is the same")
    parser.add_argument(
        "--archs", default="resnet26d,tf_efficientnet_lite0,tf_efficientnet_lite1", help="of timm"
    )
    parser.add_argument(
        "--images", type=int, default=800, help="200 or more: fewer may leave out a rare class"
    )
    asked = parser.parse_args()
    archs = asked.archs.split(",")
    with tempfile.TemporaryDirectory() as tmp:
        folder = Path(tmp)
        files = make_data(folder, asked.images)
        from fastkaggle_plus import folds_for

        comp = load_comp(SLUG)
        data = comp.read(files)
        valid = folds_for(comp, data, seed=42, holdout=HOLDOUT).assignment == 0
        by_id = dict(zip(data.ids, valid, strict=True))
        in_file = pd.read_csv(files / "train.csv")["image_id"].map(by_id).to_numpy()
        right: dict[str, list] = {a: [] for a in archs}
        seconds: dict[str, list] = {"plain": [], "ours": [], "floor": []}
        for seed in range(42, 42 + asked.seeds):
            os.environ["FKP_HOME"] = str(folder / f"home{seed}")  # nothing decoded before
            took, preds = time_ours(files, folder, archs, seed)
            seconds["ours"].append(took)
            seconds["floor"].append(
                time_floor(archs, int((~valid).sum()), int(valid.sum()) + len(data.test))
            )
            took, theirs = time_plain(files, folder, archs, in_file, seed)
            seconds["plain"].append(took)
            print(
                f"seed {seed}: "
                + ", ".join(f"{side} {times[-1]:.1f} s" for side, times in seconds.items()),
                file=sys.stderr,
                flush=True,
            )
            for a in archs:
                p = preds[a]
                order = {i: k for k, i in enumerate(p.ids)}
                rows = [order[i] for i in pd.read_csv(files / "train.csv")["image_id"][in_file]]
                right[a].append(
                    (p.oof[rows].argmax(1) == p.targs[rows], np.array(theirs[a]["tta"]))
                )
    plain, ours, floor = (float(np.mean(seconds[k])) for k in ("plain", "ours", "floor"))
    print(
        f"vision sweep: {', '.join(archs)}; {len(valid)} images, {int(valid.sum())} held out, "
        f"{len(data.test)} test, TTA of 4 views; {os.cpu_count()} cores, "
        f"{asked.seeds} seed{'s' if asked.seeds > 1 else ''}"
    )
    print(
        f"plain fastai {plain:.1f} s, ours {ours:.1f} s, floor {floor:.1f} s: "
        f"ours is {ours / floor:.2f} x the floor, plain is {plain / ours:.2f} x ours"
    )
    for a in archs:
        sides = (np.concatenate(side) for side in zip(*right[a], strict=True))
        print(f"  {a:<26} accuracy with TTA: {paired(*sides)}")


if __name__ == "__main__":
    main()
