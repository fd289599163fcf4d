"""The table of image models: joined on name and size, equal to timm's own facts, filtered."""

import io
import json
import subprocess
import sys
from itertools import pairwise

import pandas as pd
import pytest
import timm
from typer.testing import CliRunner

from fastkaggle_plus.cli import app
from fastkaggle_plus.exceptions import DataError, UnknownName
from fastkaggle_plus.modeling import model_table, resolve_arch
from fastkaggle_plus.modeling.vision.model_table import _RESULTS, _SPEEDS, join_results

# in the format of timm's files: names with and without tags, several sizes, thousands with commas
RAW_RESULTS = """model,img_size,top1,top1_err,top5,top5_err,param_count,crop_pct,interpolation
eva_giant_patch14_336.clip_ft_in1k,336,89.462,10.538,98.828,1.172,"1,013.01",1.000,bicubic
resnet26d.bt_in1k,288,77.424,22.576,93.630,6.370,16.01,0.950,bicubic
resnet26d.bt_in1k,224,76.698,23.302,93.156,6.844,16.01,0.875,bicubic
resnet18.tv_in1k,224,69.752,30.248,89.080,10.920,11.69,0.875,bilinear
resnet18.a1_in1k,224,71.488,28.512,90.076,9.924,11.69,0.950,bicubic
tnt_s_patch16_224,224,81.528,18.472,95.734,4.266,23.76,0.900,bicubic
xcit_nano_12_p16_224.fb_in1k,224,69.982,30.018,89.782,10.218,3.05,1.000,bicubic
"""
RAW_SPEEDS = """model,infer_img_size,infer_samples_per_sec,infer_step_time
resnet18,224,18247.43,28.048
resnet18,160,35956.09,14.229
resnet26d,224,7173.64,71.361
resnet26d,288,4243.79,120.634
tnt_s_patch16_224,224,1716.84,298.207
eva_giant_patch14_336,336,100.31,5104.356
"""


def raw(results: str = RAW_RESULTS, speeds: str = RAW_SPEEDS) -> tuple[pd.DataFrame, pd.DataFrame]:
    return pd.read_csv(io.StringIO(results), thousands=","), pd.read_csv(io.StringIO(speeds))


def test_the_plain_merge_of_timms_files_is_empty_and_ours_is_not():
    results, speeds = raw()
    assert set(results.merge(speeds, on="model")["model"]) == {
        "tnt_s_patch16_224"
    }  # the only name without a tag
    joined = join_results(results, speeds).set_index(["model", "input_px"])
    assert joined["images_per_s"].to_dict() == {
        ("eva_giant_patch14_336.clip_ft_in1k", 336): 100.31,
        ("tnt_s_patch16_224", 224): 1716.84,
        ("resnet26d.bt_in1k", 288): 4243.79,
        ("resnet26d.bt_in1k", 224): 7173.64,
        ("resnet18.a1_in1k", 224): 18247.43,
        ("resnet18.tv_in1k", 224): 18247.43,
    }
    assert joined.loc[("eva_giant_patch14_336.clip_ft_in1k", 336), "n_params_m"] == 1013.01


def test_timms_own_newer_files_may_be_given(tmp_path):
    (tmp_path / "r.csv").write_text(RAW_RESULTS)
    (tmp_path / "s.csv").write_text(RAW_SPEEDS)
    table = model_table(results=tmp_path / "r.csv", speeds=tmp_path / "s.csv", families=["resnet"])
    assert list(table["model"]) == ["resnet18.a1_in1k", "resnet18.tv_in1k"] and list(
        table.index
    ) == [0, 1]


def test_files_that_cannot_be_joined_are_an_error():
    results, speeds = raw()
    with pytest.raises(DataError, match="None of 7 accuracies and 6 speeds"):
        join_results(results, speeds.assign(infer_img_size=1))
    with pytest.raises(DataError, match="accuracies lacks the columns top1, param_count"):
        join_results(results.drop(columns=["top1", "param_count"]), speeds)
    with pytest.raises(DataError, match="speeds lacks the columns infer_img_size"):
        join_results(results, results)


def test_no_row_of_the_snapshot_is_lost_or_doubled():
    results, speeds = (pd.read_csv(file, comment="#") for file in (_RESULTS, _SPEEDS))
    table = model_table()
    assert (
        len(table) == len(results) > 200
        and not table.duplicated(["model", "input_px"]).any()
        and table.notna().all(axis=None)
    )
    assert not speeds.duplicated(["model", "infer_img_size"]).any()
    assert {
        "levit",
        "resnet",
        "resnetd",
        "regnet",
        "convnext",
        "convnextv2",
        "efficientnet",
        "efficientnetv2",
        "efficientnet_lite",
        "vit",
        "beit",
        "swin",
        "swinv2",
        "deit3",
        "maxvit",
        "mobilenetv3",
        "mobilenetv4",
        "eva02",
        "caformer",
        "vgg",
    } <= set(table["family"])
    for file in (_RESULTS, _SPEEDS):
        assert (
            "commit 7479d451a6dfd8af27f941b8e82a7402461fae80" in file.read_text()
            and "read on 2026-11-24" in file.read_text()
        )


def test_a_larger_picture_is_slower_and_nearly_always_better():
    table = model_table().sort_values("input_px")
    pairs = [
        (name, one, two)
        for name, rows in table.groupby("model")
        for one, two in pairwise(rows.itertuples())
    ]
    assert len(pairs) > 50 and all(
        small.images_per_s > large.images_per_s for _, small, large in pairs
    )
    assert {name for name, small, large in pairs if small.top1 > large.top1} == {
        "convnext_tiny.fb_in22k_ft_in1k"
    }  # as published


def test_names_and_fixed_sizes_are_timms():
    rows = model_table().drop_duplicates("model")
    for row in rows.itertuples():
        assert timm.get_pretrained_cfg(row.model).fixed_input_size != row.is_free_size, row.model
    for name in rows.drop_duplicates("family")["model"]:
        assert resolve_arch(name).full_name == name


def test_parameters_are_timms():
    rows = model_table(max_params_m=100).drop_duplicates("model")
    for row in rows.iloc[::16].itertuples():  # all of them take a quarter of a minute
        assert abs(resolve_arch(row.model).n_params / 1e6 - row.n_params_m) < 0.006, row.model


# the course used weights and a GPU of 2022: accuracies and numbers of parameters are the same
@pytest.mark.parametrize(
    "model, top1, params_m",
    [
        ("levit_128s.fb_dist_in1k", 76.52, 7.8),
        ("resnet18.tv_in1k", 69.74, 11.7),
        ("levit_256.fb_dist_in1k", 81.51, 18.9),
        ("levit_384.fb_dist_in1k", 82.59, 39.1),
        ("resnet26d.bt_in1k", 76.70, 16.0),
        ("resnet50d.ra2_in1k", 80.52, 25.6),
        ("vit_small_patch16_224.augreg_in21k_ft_in1k", 81.40, 22.1),
        ("convnext_tiny.fb_in1k", 82.06, 28.6),
        ("convnext_small.fb_in1k", 83.15, 50.2),
        ("vgg19.tv_in1k", 72.37, 143.7),
        ("beit_base_patch16_224.in22k_ft_in22k_in1k", 85.23, 86.5),
        ("convnext_base.fb_in22k_ft_in1k", 85.82, 88.6),
        ("convnext_large.fb_in22k_ft_in1k", 86.64, 197.8),
        ("swin_large_patch4_window7_224.ms_in22k_ft_in1k", 86.31, 196.5),
        ("vit_large_patch16_224.augreg_in21k_ft_in1k", 85.84, 304.3),
    ],
)
def test_accuracies_match_the_course(model, top1, params_m):
    [row] = [r for r in model_table().itertuples() if (r.model, r.input_px) == (model, 224)]
    assert abs(row.top1 - top1) < 0.04 and round(row.n_params_m, 1) == params_m


def test_filters():
    small = model_table(max_params_m=30, min_top1=84, min_images_per_s=1000, max_input_px=336)
    assert len(small) > 3 and small["n_params_m"].max() <= 30 and small["top1"].min() >= 84
    assert (
        small["images_per_s"].min() >= 1000
        and small["input_px"].max() <= 336
        and small["top1"].is_monotonic_decreasing
    )
    assert (
        model_table(free_size=True)["is_free_size"].all()
        and not model_table(free_size=False)["is_free_size"].any()
    )
    assert len(model_table(free_size=True)) + len(model_table(free_size=False)) == len(
        model_table()
    )
    assert set(model_table(families=["vit", "levit"])["family"]) == {"vit", "levit"}
    assert len(model_table(min_top1=99)) == 0
    with pytest.raises(UnknownName, match="Did you mean 'convnext'"):
        model_table(families=["convnex"])


@pytest.mark.parametrize(
    "model, data",
    [
        ("convnext_base.clip_laion2b_augreg_ft_in12k_in1k", "laion2b+in12k"),
        ("convnext_small.fb_in22k_ft_in1k", "in22k"),
        ("resnet26d.bt_in1k", "in1k"),
        ("eva02_large_patch14_448.mim_m38m_ft_in22k_in1k", "m38m+in22k"),
        ("tf_efficientnet_b4.ns_jft_in1k", "jft"),
        ("levit_384.fb_dist_in1k", "in1k"),
        ("vit_large_patch14_clip_224.openai_ft_in12k_in1k", "openai+in12k"),
    ],
)
def test_pretraining_data_is_read_from_the_tag(model, data):
    assert set(model_table().query("model == @model")["pretrained_on"]) == {data}


def fkp(*arguments):
    return CliRunner().invoke(app, ["archs", *arguments])


def test_the_command_lists_filters_and_draws(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    limits = ("--max-params", "30", "--min-top1", "80", "--family", "convnext")
    done = fkp(*limits, "--plot", "models.png")
    assert done.exit_code == 0, done.output
    assert "convnext_tiny.in12k_ft_in1k" in done.output and "levit" not in done.output
    assert "models.png" in done.output
    assert (tmp_path / "models.png").read_bytes().startswith(b"\x89PNG")
    rows = json.loads(fkp("--max-params", "30", "--top", "2", "--json").output)
    assert [set(row) for row in rows] == [set(model_table().columns)] * 2
    assert rows[0]["top1"] >= rows[1]["top1"]
    assert fkp("--top", "-3").exit_code == 2
    with pytest.raises(UnknownName, match="Did you mean 'levit'"):
        model_table(families=["levi"])


def test_the_command_starts_without_torch():
    code = (
        "import sys; from fastkaggle_plus.cli.model_commands import archs; "
        "archs(top=1, as_json=True); "
        "print([m for m in ('torch', 'timm', 'fastai', 'kaggle') if m in sys.modules])"
    )
    output = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout
    assert output.splitlines()[-1] == "[]"
