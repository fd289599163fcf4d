"""The bubble chart shows each model once, in its place, and names the best."""

import pandas as pd
import pytest

from fastkaggle_plus.exceptions import ConfigError, DataError
from fastkaggle_plus.reporting.model_plot import frontier, plot_models

TABLE = pd.DataFrame(
    {
        "model": ["fast.a_in1k", "middle.a_in1k", "slow.a_in1k", "beaten.a_in1k"],
        "family": ["one", "one", "two", "two"],
        "top1": [70.0, 80.0, 88.0, 79.0],
        "n_params_m": [1.0, 20.0, 300.0, 40.0],
        "images_per_s": [30000.0, 4000.0, 100.0, 3000.0],
        "input_px": [224, 224, 448, 224],
        "is_free_size": True,
        "pretrained_on": "in1k",
    }
)


def test_each_model_is_a_mark_with_an_area_of_its_pixels():
    [axes] = plot_models(TABLE).axes
    drawn = {
        tuple(at): area
        for c in axes.collections
        for at, area in zip(c.get_offsets().tolist(), c.get_sizes(), strict=True)
    }
    assert set(drawn) == set(zip(TABLE["images_per_s"], TABLE["top1"], strict=True))
    assert drawn[(100.0, 88.0)] == pytest.approx(4 * drawn[(4000.0, 80.0)])
    assert axes.get_xscale() == "log"
    assert [t.get_text() for t in axes.get_legend().get_texts()] == [
        "two",
        "one",
    ]  # the most accurate family first


def test_a_line_joins_the_unbeaten_models_and_names_them():
    assert list(frontier(TABLE)["model"]) == ["fast.a_in1k", "middle.a_in1k", "slow.a_in1k"]
    [axes] = plot_models(TABLE).axes
    assert {t.get_text() for t in axes.texts} == {"fast", "middle", "slow"}
    tied = TABLE.assign(top1=80.0)
    assert list(frontier(tied)["model"]) == ["fast.a_in1k"]


def test_names_do_not_cover_each_other():
    many = pd.concat(
        [
            TABLE.assign(
                model=TABLE["model"] + str(i),
                images_per_s=TABLE["images_per_s"] - i,
                top1=TABLE["top1"] + i / 100,
            )
            for i in range(20)
        ]
    )
    figure = plot_models(many)
    boxes = [t.get_window_extent() for t in figure.axes[0].texts]
    assert 3 <= len(boxes) < 20 and not any(
        a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[:i]
    )


@pytest.mark.parametrize(
    "suffix, start", [("png", b"\x89PNG"), ("svg", b"<?xml"), ("pdf", b"%PDF")]
)
def test_it_is_saved_in_the_format_of_the_suffix(tmp_path, suffix, start):
    plot_models(TABLE, tmp_path / f"models.{suffix}")
    assert (tmp_path / f"models.{suffix}").read_bytes().startswith(start)


def test_an_empty_table_and_an_unknown_format_are_refused():
    with pytest.raises(DataError, match="Loosen"):
        plot_models(TABLE[:0])
    with pytest.raises(ConfigError, match=r"png.*got 'foo'"):
        plot_models(TABLE, "models.foo")
    with pytest.raises(ConfigError, match="'nothing'"):
        plot_models(TABLE, "models")


def test_one_model_is_a_plot_too():
    [axes] = plot_models(TABLE[:1]).axes
    assert [t.get_text() for t in axes.texts] == ["fast"]
