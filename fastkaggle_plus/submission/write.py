"""Write predictions as a submission csv, in the rows and columns of the sample submission."""

from pathlib import Path

import numpy as np
import pandas as pd

from ..competition import Competition
from ..environment import is_rehearsal, rehearsed_files
from ..exceptions import SubmissionError, listed
from ..files import HashList
from ..metrics import Metric
from ..predictions import Predictions
from ..reading import quoting_of
from ..reading.labels import columns_of_classes, places_in_order, written
from .contract import check_for_blanks, check_submission
from .cv_record import remember_cv
from .sample import read_sample_of


def write_submission(
    preds: Predictions,
    comp: Competition,
    path: str | Path,  # the folder with the competition's data, where the sample submission is
    *,
    file: str | Path = "submission.csv",
) -> Path:
    """Write the csv for Kaggle, in the rows and columns of the sample submission; return its path.

    In a rehearsal the file is remembered, so that `submit` never sends it to the real Kaggle by
    accident. The CV score is remembered for `fkp submissions` and `fkp plan`. Raises
    SubmissionError.
    """
    frame = submission_of(preds, comp, path)
    frame.to_csv(file, index=False, lineterminator="\n", quoting=quoting_of(frame))
    if is_rehearsal():
        HashList(rehearsed_files()).add(Path(file), f"the file of a rehearsal of {comp.slug}")
    if preds.metric != comp.scoring.name or comp.own_metric_file:
        preds = preds.scored_by(comp.scoring)
    remember_cv(preds, comp.slug, Path(file))
    return Path(file)


def submission_of(preds: Predictions, comp: Competition, path: str | Path) -> pd.DataFrame:
    """Return the rows that `write_submission` writes, checked. Raises SubmissionError."""
    sample = read_sample_of(comp, Path(path), preds.vocab)
    frame = answer_frame(preds, sample, comp.scoring, target=comp.target)
    return check_submission(frame, sample, metric=comp.scoring, labels=preds.vocab)


def answer_frame(
    preds: Predictions,
    sample: pd.DataFrame,  # the sample submission, its id column first
    metric: Metric,
    *,
    target: tuple[str, ...] = (),  # names of the predicted values, in the order of the predictions
) -> pd.DataFrame:
    """Return predictions in the form of the sample submission; rows in the predictions' order.

    Of classes with equal probability, the first by size or spelling is answered. A single column of
    probabilities is for the larger of two numbers, or for the vocab's second class.
    """
    id, *columns = sample.columns
    has_two_numbers = len(preds.vocab) == 2 and not any(isinstance(v, str) for v in preds.vocab)
    if metric.wants in ("label", "ranking") or has_two_numbers:
        vocab = tuple(preds.vocab[i] for i in places_in_order(preds.vocab))
        preds = preds.aligned(preds.ids, preds.test_ids, vocab)
    answers = metric.answers(preds.test)
    labels = np.array(written(preds.vocab), dtype=object)
    frame = pd.DataFrame({id: preds.test_ids})
    if metric.wants == "ranking":
        check_for_blanks(preds.vocab)
        return frame.assign(**{columns[0]: [" ".join(map(str, row)) for row in labels[answers]]})
    if metric.wants == "label":
        return frame.assign(**{columns[0]: labels[answers] if preds.vocab else answers})
    if metric.wants == "probability" and len(columns) > 1:
        if (found := columns_of_classes(preds.vocab, columns)) is None:
            raise SubmissionError(
                f"The sample submission has the columns {listed(columns)}, and the classes are "
                f"{listed(labels)}. Check `target` and `task` in competition.toml."
            )
        return frame.assign(**{c: preds.test[:, found.index(c)] for c in columns})
    answers = answers.reshape(len(answers), -1)
    if answers.shape[1] != len(columns):
        raise SubmissionError(
            f"The sample submission has {len(columns)} answer columns ({listed(columns)}), and "
            f"each row has {answers.shape[1]} predictions. Check `target` and `metric` in "
            "competition.toml."
        )
    order = target if set(target) == set(columns) else tuple(columns)
    return frame.assign(**{c: answers[:, order.index(c)] for c in columns})
