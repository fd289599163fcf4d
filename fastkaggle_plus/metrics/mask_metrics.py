"""Overlaps of two masks of one image: functions for a metric.py, as no task predicts masks yet."""

from typing import Any

import numpy as np


def iou(truth: Any, answers: Any) -> float:
    """Return the intersection over the union of two masks of equal shape; 1 if both are empty."""
    truth, answers = np.asarray(truth, dtype=bool), np.asarray(answers, dtype=bool)
    union = (truth | answers).sum()
    return float((truth & answers).sum() / union) if union else 1.0


def dice(truth: Any, answers: Any) -> float:
    """Return 2 intersection / (sum of both areas) of two masks; 1 if both are empty."""
    truth, answers = np.asarray(truth, dtype=bool), np.asarray(answers, dtype=bool)
    areas = truth.sum() + answers.sum()
    return float(2 * (truth & answers).sum() / areas) if areas else 1.0
