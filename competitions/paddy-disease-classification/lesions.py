"""Paint the symptoms of each paddy disease on one blade, in the blade's own coordinates."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.ndimage import map_coordinates

Array = np.ndarray[Any, Any]
Colour = tuple[float, float, float]
STRAW = (206, 184, 132)


@dataclass
class Blade:
    """The pixels of one blade. Lengths are in short sides of the image."""

    along: Array  # (n,) distance from the tip
    across: Array  # (n,) signed distance from the midrib
    v: Array  # (n,) `across` in half widths: -1 and 1 are the margins
    rgb: Array  # (n, 3) colours 0-255, painted on in place
    half_width: float
    length: float  # of the visible part
    is_heart: bool  # the youngest blade, in front of the others

    def blend(
        self, colour: Colour | Array, alpha: Array, where: Array | slice = slice(None)
    ) -> None:
        """Mix in a colour; `alpha` is its share in each pixel."""
        self.rgb[where] += alpha[:, None] * (np.asarray(colour, dtype="f4") - self.rgb[where])


def noise(
    rng: np.random.Generator,
    x: Array,
    y: Array,
    *,
    cell_x: float,  # size of a cell, in the unit of x
    cell_y: float,
) -> Array:
    """Return smooth noise at points, about -1 to 1."""
    grid = rng.uniform(-1, 1, (17, 31)).astype("f4")
    return map_coordinates(grid, (y / cell_y, x / cell_x), order=1, mode="grid-wrap") * 1.4


def smooth(x: Array) -> Array:
    """Return a smooth step from 0 (at 0) to 1 (at 1)."""
    x = np.clip(x, 0, 1)
    return x * x * (3 - 2 * x)


def specks(blade: Blade, rng: np.random.Generator) -> None:
    """Paint harmless dust, dew and scars, in every class."""
    colours = ((235, 235, 225), (90, 60, 40), (190, 176, 140), (196, 140, 60))
    for _ in range(rng.poisson(4)):
        colour, a, c = (
            colours[rng.integers(len(colours))],
            rng.uniform(0, blade.length),
            rng.uniform(-1, 1) * blade.half_width,
        )
        near, da, dc = _near(blade, a, c, 0.02)
        long, wide = rng.uniform(0.004, 0.011), rng.uniform(0.004, 0.008)
        blade.blend(
            colour, rng.uniform(0.4, 0.8) * smooth(1.8 - np.hypot(da / long, dc / wide)), near
        )


def blast(blade: Blade, severity: float, rng: np.random.Generator) -> None:
    """Paint spindles with pointed ends, with an ashen centre and a brown rim."""
    ashen, rim = _varied((186, 176, 158), rng), _varied((112, 66, 36), rng)
    for a, c in _places(blade, rng.poisson(2 + 6 * severity), rng):
        long, wide = (
            rng.uniform(0.05, 0.12) * (0.6 + 0.5 * severity),
            rng.uniform(0.020, 0.036) * (0.7 + 0.4 * severity),
        )
        near, da, dc = _near(blade, a, c, 1.5 * long)
        r = np.abs(da) / long + (np.abs(dc) / wide) ** 1.5  # 1 at the outline
        blade.blend((196, 176, 84), 0.5 * severity * smooth(2.4 - 1.4 * r), near)
        blade.blend(rim, _strength(severity) * smooth((1.15 - r) * 5), near)
        blade.blend(ashen, _strength(severity) * smooth((0.68 - r) * 5), near)


def brown_spot(blade: Blade, severity: float, rng: np.random.Generator) -> None:
    """Paint many round dark dots, each with a yellow halo."""
    dark, halo = _varied((88, 50, 28), rng), _varied((206, 182, 82), rng)
    for a, c in _places(blade, rng.poisson(6 + 30 * severity), rng):
        radius = rng.uniform(0.010, 0.022)
        near, da, dc = _near(blade, a, c, 2.2 * radius)
        r = np.hypot(da / 1.15, dc) / radius
        blade.blend(halo, 0.75 * _strength(severity) * smooth(2.1 - r), near)
        blade.blend(dark, _strength(severity) * smooth((1.1 - r) * 3.5), near)


def hispa(blade: Blade, severity: float, rng: np.random.Generator) -> None:
    """Paint thin pale scratches side by side, where the beetle scraped between the veins."""
    pale = _varied((226, 226, 204), rng)
    for a, c in _places(blade, rng.poisson(2 + 4 * severity), rng):
        for offset in np.arange(rng.integers(3, 7)) * 0.019:
            _streak(
                blade,
                (a + rng.uniform(-0.03, 0.03), c + offset),
                (rng.uniform(0.04, 0.11), rng.uniform(0.005, 0.008)),
                pale,
                _strength(severity),
            )


def leaf_streak(blade: Blade, severity: float, rng: np.random.Generator) -> None:
    """Paint thin beaded orange streaks along the veins, far apart."""
    orange = _varied((194, 122, 44), rng)
    beads = 0.55 + 0.45 * np.sign(
        noise(rng, blade.along, blade.across, cell_x=0.02, cell_y=0.03) + 0.3
    )
    for a, c in _places(blade, rng.poisson(5 + 15 * severity), rng):
        _streak(
            blade,
            (a, c),
            (rng.uniform(0.08, 0.24), rng.uniform(0.006, 0.010)),
            orange,
            _strength(severity) * beads,
        )


def leaf_blight(blade: Blade, severity: float, rng: np.random.Generator) -> None:
    """Paint margins that dry from the tip down, with a wavy border."""
    wave = noise(rng, blade.along, np.zeros_like(blade.along), cell_x=0.07, cell_y=1) + 0.4 * noise(
        rng, blade.along, blade.v, cell_x=0.03, cell_y=2
    )
    sides = rng.choice([(1, 1), (1, 0.3), (0.3, 1)], p=(0.5, 0.25, 0.25))
    side = np.where(blade.v > 0, sides[1], sides[0])
    reach = (0.25 + 0.75 * severity) * blade.length
    depth = (
        side
        * (0.1 + 0.9 * severity)
        * (0.66 + 0.30 * wave)
        * smooth((reach - blade.along) / (0.5 * reach) + 0.2)
    )
    inside = np.abs(blade.v) - (1 - depth)
    blade.blend(_varied((214, 190, 88), rng), 0.8 * smooth(inside / 0.10 + 1) * (depth > 0.04))
    blade.blend(_varied(STRAW, rng), 0.95 * smooth(inside / 0.10) * (depth > 0.04))


def tungro(blade: Blade, severity: float, rng: np.random.Generator) -> None:
    """Paint a gradient from yellow to orange, from the tip down, without a border."""
    mottle = 1 + 0.25 * noise(rng, blade.along, blade.across, cell_x=0.15, cell_y=0.02)
    share = smooth(1 - blade.along / ((0.45 + 0.6 * severity) * blade.length)) * mottle
    blade.blend(_varied((216, 164, 46), rng), np.clip((0.25 + 0.7 * severity) * share, 0, 1))


def dead_heart(blade: Blade, severity: float, rng: np.random.Generator) -> None:
    """Dry and roll the youngest blade; the others stay green."""
    if blade.is_heart:
        folds = 1 + 0.22 * np.sin(
            blade.v * rng.uniform(5, 9)
            + 2 * noise(rng, blade.along, blade.across, cell_x=0.3, cell_y=1)
        )
        dried = smooth((0.2 + 1.3 * severity) * 1.2 - blade.along / blade.length)
        blade.blend(_varied((186, 156, 104), rng) * folds[:, None], 0.95 * dried)


def downy_mildew(blade: Blade, severity: float, rng: np.random.Generator) -> None:
    """Paint pale patches without a rim, with whitish down."""
    patches = noise(
        rng,
        blade.along + rng.uniform(0, 2),
        blade.across + blade.half_width,
        cell_x=0.10,
        cell_y=0.055,
    )
    down = noise(rng, blade.along, blade.across, cell_x=0.012, cell_y=0.012)
    share = smooth((patches + 0.15 * down - 0.65 + 0.8 * severity) / 0.6)
    blade.blend(_varied((208, 212, 152), rng), 0.75 * _strength(severity) * share)
    blade.blend((238, 238, 226), 0.35 * severity * share * (down > 0.45))


def panicle_blight(blade: Blade, severity: float, rng: np.random.Generator) -> None:
    """Paint a few large irregular brown blotches with a dark edge."""
    edge, inner = _varied((84, 58, 42), rng), _varied((146, 112, 78), rng)
    rough = noise(rng, blade.along, blade.across + blade.half_width, cell_x=0.035, cell_y=0.03)
    for a, c in _places(blade, 1 + rng.poisson(0.5 + 2 * severity), rng):
        radius = rng.uniform(0.045, 0.10) * (0.5 + 0.7 * severity)
        near, da, dc = _near(blade, a, c, 2 * radius)
        r = np.hypot(da / 1.4, dc) / radius + 0.35 * rough[near]
        blade.blend(edge, _strength(severity) * smooth((1.1 - r) * 4), near)
        blade.blend(inner, 0.8 * _strength(severity) * smooth((0.8 - r) * 3), near)


def normal(blade: Blade, severity: float, rng: np.random.Generator) -> None:
    """Paint nothing."""


DISEASES: dict[str, Callable[[Blade, float, np.random.Generator], None]] = {
    "bacterial_leaf_blight": leaf_blight,
    "bacterial_leaf_streak": leaf_streak,
    "bacterial_panicle_blight": panicle_blight,
    "blast": blast,
    "brown_spot": brown_spot,
    "dead_heart": dead_heart,
    "downy_mildew": downy_mildew,
    "hispa": hispa,
    "normal": normal,
    "tungro": tungro,
}


def _strength(severity: float) -> float:
    """Return how opaque a lesion is; a mild one is nearly transparent."""
    return min(1.0, 0.15 + 1.1 * severity)


def _varied(colour: Colour, rng: np.random.Generator) -> Array:
    return np.asarray(colour, dtype="f4") * rng.normal(1, 0.13) + rng.normal(0, 9, 3).astype("f4")


def _places(blade: Blade, n: int, rng: np.random.Generator) -> list[tuple[float, float]]:
    """Return random places for lesions: (along, across)."""
    return [
        (rng.uniform(0.05, 0.95) * blade.length, rng.uniform(-0.85, 0.85) * blade.half_width)
        for _ in range(n)
    ]


def _near(blade: Blade, a: float, c: float, reach: float) -> tuple[Array, Array, Array]:
    """Return the pixels within `reach`, and their distances along and across."""
    near = np.flatnonzero((np.abs(blade.along - a) < reach) & (np.abs(blade.across - c) < reach))
    return near, blade.along[near] - a, blade.across[near] - c


def _streak(
    blade: Blade,
    place: tuple[float, float],
    size: tuple[float, float],
    colour: Array,
    alpha: float | Array,
) -> None:
    """Paint a soft straight line along the blade; `size` is (half its length, its width)."""
    near, da, dc = _near(blade, *place, size[0])
    share = smooth((1 - np.abs(da) / size[0]) * 8) * smooth((1.3 - np.abs(dc) / size[1]) * 2)
    blade.blend(colour, (alpha[near] if isinstance(alpha, np.ndarray) else alpha) * share, near)
