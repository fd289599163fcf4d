"""What models tell of how far they are, put together from folds, members and epochs."""

import pytest

from fastkaggle_plus.folds import make_folds
from fastkaggle_plus.modeling import bag, cross_validate, forest_model, progress, tabular_model

from .tables import make_data


def heard(work):
    told = []
    with progress.send_to(lambda share, where: told.append((round(share, 4), where))):
        work()
    return told


def test_parts_of_parts():
    def work():
        for k in range(2):
            with progress.step(k, 2, "fold"):
                progress.report_epoch(1, 4)
                with progress.step(1, 2, "member"):
                    progress.report(30, 40, "row 30")
        progress.report(7, 0, "nothing to do")

    assert heard(work) == [
        (0.0, "fold 1/2"),
        (0.125, "fold 1/2, epoch 1/4"),
        (0.25, "fold 1/2, member 2/2"),
        (0.4375, "fold 1/2, member 2/2, row 30"),
        (0.5, "fold 1/2, member 2/2"),
        (0.5, "fold 1/2"),
        (0.5, "fold 2/2"),
        (0.625, "fold 2/2, epoch 1/4"),
        (0.75, "fold 2/2, member 2/2"),
        (0.9375, "fold 2/2, member 2/2, row 30"),
        (1.0, "fold 2/2, member 2/2"),
        (1.0, "fold 2/2"),
        (1.0, "nothing to do"),
    ]


def test_nobody_has_to_listen_and_who_stops_listening_hears_no_more():
    progress.report_epoch(1, 2)
    told = heard(lambda: progress.report_epoch(1, 2))
    progress.report_epoch(2, 2)
    assert told == [(0.5, "epoch 1/2")]
    with pytest.raises(RuntimeError), progress.send_to(print):
        raise RuntimeError
    progress.report_epoch(1, 2)  # prints nothing, or the next line would say so


def test_folds_and_a_nets_epochs_are_told():
    data = make_data("binary")
    told = heard(
        lambda: cross_validate(
            tabular_model([4], epochs=2), data, make_folds(data.targs, n_folds=2)
        )
    )
    assert told == [
        (0.0, "fold 1/2"),
        (0.25, "fold 1/2, epoch 1/2"),
        (0.5, "fold 1/2, epoch 2/2"),
        (0.5, "fold 1/2"),
        (0.5, "fold 2/2"),
        (0.75, "fold 2/2, epoch 1/2"),
        (1.0, "fold 2/2, epoch 2/2"),
        (1.0, "fold 2/2"),
    ]


def test_a_bags_members_are_told():
    data = make_data("binary")
    told = heard(lambda: bag(forest_model(3), n=2).fit(data.train))
    assert told == [
        (0.0, "member 1/2"),
        (0.5, "member 1/2"),
        (0.5, "member 2/2"),
        (1.0, "member 2/2"),
    ]
