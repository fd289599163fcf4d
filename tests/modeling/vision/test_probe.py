"""Probes: features of a frozen network, taken once for folds and trials, under a linear head."""

import dataclasses
import os
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
import torch

from fastkaggle_plus.data import ImageFiles
from fastkaggle_plus.exceptions import ConfigError, DataError, UnknownName, WeightsMissing
from fastkaggle_plus.folds import make_folds
from fastkaggle_plus.modeling import cross_validate, probe_model, resolve_arch
from fastkaggle_plus.modeling.vision.features import frozen_features
from fastkaggle_plus.modeling.vision.network import make_feature_net
from fastkaggle_plus.modeling.vision.weights import local_archs
from tests.modeling.pictures import make_pictures

LITE, SQUEEZE = "tf_efficientnet_lite0", "squeezenet1_1"


@pytest.fixture
def data(tmp_path, monkeypatch):
    monkeypatch.setenv("FKP_HOME", str(share_weights(tmp_path / "home")))
    return make_pictures(tmp_path / "pictures")


def share_weights(home: Path) -> Path:
    """Return a new home folder with the converted weights of the old one, and nothing else."""
    (home / "cache").mkdir(parents=True)
    weights = Path(os.environ["FKP_HOME"]) / "cache" / "weights"
    weights.mkdir(parents=True, exist_ok=True)
    (home / "cache" / "weights").symlink_to(weights)
    return home


@pytest.fixture
def decoded(monkeypatch):
    """The files that PIL opened."""
    files, really = [], PIL.Image.open

    def opened(file, *arguments, **options):
        files.append(str(file))
        return really(file, *arguments, **options)

    monkeypatch.setattr(PIL.Image, "open", opened)
    return files


def entries(kind):
    return list((Path(os.environ["FKP_HOME"]) / "cache" / kind).glob("*.npy"))


def test_a_probe_learns_the_pictures_and_the_second_network_decodes_nothing(data, decoded):
    folds = make_folds(data.targs, n_folds=3, seed=0)
    preds = cross_validate(probe_model(SQUEEZE, 64), data, folds)
    assert preds.oof_score > 0.85  # a third by chance
    assert preds.oof.shape == (60, 3) and preds.test.shape == (15, 3)
    assert preds.about["arch"] == SQUEEZE and preds.about["size_px"] == [64, 64]
    assert {note["penalty"] for note in preds.about["fits"]}
    assert len(decoded) == len(set(decoded)) == 75
    other = cross_validate(probe_model(LITE, 64), data, folds)
    assert other.oof_score > 0.6 and len(decoded) == 75
    assert len(entries("pixels")) == 1 and len(entries("frozen")) == 2
    made = {f: f.stat().st_mtime_ns for f in entries("frozen")}
    again = cross_validate(probe_model(SQUEEZE, 64), data, folds)
    assert again.oof.tobytes() == preds.oof.tobytes()
    assert made == {f: f.stat().st_mtime_ns for f in entries("frozen")}


@pytest.mark.parametrize("name", [LITE, SQUEEZE])
def test_features_are_what_the_classifier_reads_averaged_over_the_mirror(data, name):
    arch, images = resolve_arch(name), data.train.images
    features, ok = frozen_features(arch, images, (64, 72), flip=True)
    plain, _ = frozen_features(arch, images, (64, 72), flip=False)
    assert features.dtype == np.float32 and ok.all() and len(features) == len(images.files)
    with PIL.Image.open(images.files[0]) as image:
        pixels = np.asarray(image.resize((72, 64), PIL.Image.Resampling.BILINEAR))
    x = torch.from_numpy(pixels / 255).permute(2, 0, 1)[None].float()
    x = (x - torch.tensor(arch.mean)[:, None, None]) / torch.tensor(arch.std)[:, None, None]
    with torch.no_grad():
        net = make_feature_net(arch, size=(64, 72))
        one, mirrored = net(x)[0].numpy(), net(x.flip(3))[0].numpy()
    scale = np.abs(one).max()  # half precision keeps two to three digits
    assert np.abs(plain[0] - one).max() < 0.05 * scale
    assert np.abs(features[0] - (one + mirrored) / 2).max() < 0.05 * scale


def test_the_number_of_threads_changes_no_byte(data):
    files = data.train.images.files
    rows, found, before = np.arange(len(files)), [], torch.get_num_threads()
    for threads in (1, 2):
        torch.set_num_threads(threads)
        Path(files[0]).touch()  # another entry of the cache
        found.append(frozen_features(resolve_arch(LITE), ImageFiles(files, rows), 96)[0].tobytes())
    torch.set_num_threads(before)
    assert found[0] == found[1] and len(entries("frozen")) == 2


def test_a_broken_image_gets_the_class_shares_until_it_is_readable_again(data):
    file = Path(data.test.images.files[data.test.images.rows[0]])
    content = file.read_bytes()
    file.write_bytes(content[:100])
    model = probe_model(SQUEEZE, 64)
    preds = model.fit(data.train).predict(data.test)
    shares = np.bincount(data.targs, minlength=3) / len(data.targs)
    np.testing.assert_allclose(preds[0], shares)
    assert not np.allclose(preds[1], shares) and np.isfinite(preds).all()
    file.write_bytes(content)
    whole = model.fit(data.train).predict(data.test)
    assert not np.allclose(whole[0], shares)
    np.testing.assert_allclose(whole[1:], preds[1:], atol=1e-6)


def test_values_and_tables_without_readable_images(data, tmp_path):
    stripes = np.stack([data.targs == 0, data.targs * 10.0], axis=1).astype(float)
    table = dataclasses.replace(data.train, targs=stripes, task="regression", vocab=())
    preds = probe_model(SQUEEZE, 64).fit(table).predict(table)
    assert preds.shape == (60, 2) and np.corrcoef(preds[:, 1], stripes[:, 1])[0, 1] > 0.9
    for file in (tmp_path / "pictures" / "train_images").iterdir():
        file.write_bytes(b"nothing")
    with pytest.raises(DataError, match=r"None of the 60 training images can be read"):
        probe_model(SQUEEZE, 64).fit(data.train)
    with pytest.raises(DataError, match="This table has no images"):
        probe_model(SQUEEZE, 64).fit(dataclasses.replace(data.train, images=None))


def test_the_default_network_is_the_best_on_this_machine():
    assert probe_model(size=64).about["arch"] == local_archs()[0]
    known = local_archs()
    assert known[:3] == [f"tf_efficientnet_lite{n}.in1k" for n in (2, 1, 0)]
    assert known[-1] == SQUEEZE  # without a published score


def test_wrong_settings_are_refused_before_anything_is_read():
    with pytest.raises(UnknownName, match="Did you mean 'tf_efficientnet_lite0'"):
        probe_model("tf_eficientnet_lite0")
    with pytest.raises(UnknownName, match="resize method"):
        probe_model(LITE, method="stretch")
    with pytest.raises(ConfigError, match=r"levit_128.* does not take images of 100 x 100 px"):
        probe_model("levit_128", 100)


def test_missing_weights_are_an_error_that_names_the_file(data, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(WeightsMissing, match="are not on this machine"):
        probe_model("resnet18", 64).fit(data.train)
