"""Progress callbacks: reports of folds, members and epochs are combined."""

import pytest

from fastkaggle_plus.folds import make_folds
from fastkaggle_plus.modeling import bag, cross_validate, forest_model, progress, tabular_model

from .tables import make_data


def reports(work):
    """Return what a progress callback receives."""
    received = []
    with progress.send_to(lambda share, position: received.append((round(share, 4), position))):
        work()
    return received


def test_steps_inside_of_steps():
    def work():
        for k in range(2):
            with progress.step(k, 2, "fold"):
                progress.report_epoch(1, 4)
                with progress.step(1, 2, "member"):
                    progress.report(30, 40, "row 30")
        progress.report(7, 0, "nothing to do")

    assert reports(work) == [
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


def test_a_callback_is_optional_and_ends_with_its_block():
    progress.report_epoch(1, 2)
    received = reports(lambda: progress.report_epoch(1, 2))
    progress.report_epoch(2, 2)
    assert received == [(0.5, "epoch 1/2")]
    with pytest.raises(RuntimeError), progress.send_to(print):
        raise RuntimeError
    progress.report_epoch(1, 2)  # prints nothing


def test_folds_and_epochs_are_reported():
    data = make_data("binary")
    received = reports(
        lambda: cross_validate(
            tabular_model([4], epochs=2), data, make_folds(data.targs, n_folds=2)
        )
    )
    assert received == [
        (0.0, "fold 1/2"),
        (0.25, "fold 1/2, epoch 1/2"),
        (0.5, "fold 1/2, epoch 2/2"),
        (0.5, "fold 1/2"),
        (0.5, "fold 2/2"),
        (0.75, "fold 2/2, epoch 1/2"),
        (1.0, "fold 2/2, epoch 2/2"),
        (1.0, "fold 2/2"),
    ]


def test_members_of_a_bag_are_reported():
    data = make_data("binary")
    received = reports(lambda: bag(forest_model(3), n=2).fit(data.train))
    assert received == [
        (0.0, "member 1/2"),
        (0.5, "member 1/2"),
        (0.5, "member 2/2"),
        (1.0, "member 2/2"),
    ]
