"""Paint a synthetic photograph of paddy leaves: blades, a disease, light and camera effects."""

from __future__ import annotations

import colorsys
import math
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image, ImageFilter

from fastkaggle_plus import load_comp

lesions = load_comp(Path(__file__).parent).module("lesions")
assert lesions is not None
SOURCE = Path(__file__).read_bytes() + Path(str(lesions.__file__)).read_bytes()  # the cache's key

Array = np.ndarray[Any, Any]
# Pictures with a shorter long side are painted at twice their size, to keep thin streaks smooth.
FINE_PX = 160
# two colours to mix for soil, water, straw, a green canopy and a ripe one
GROUNDS = [
    ((96, 74, 54), (140, 116, 88)),
    ((92, 104, 108), (170, 180, 178)),
    ((128, 112, 72), (196, 178, 128)),
    ((34, 58, 30), (92, 124, 62)),
    ((88, 84, 34), (190, 168, 80)),
]


class Look(NamedTuple):
    """The appearance of a variety."""

    hue: float  # degrees: 60 is yellow, 120 green
    saturation: float
    value: float
    width: float  # of a blade, 1 = usual
    veins: float  # in half a blade


VARIETIES = {
    "ADT45": Look(98, 0.55, 0.55, 1.0, 4),
    "AndraPonni": Look(76, 0.50, 0.62, 0.75, 6),
    "AtchayaPonni": Look(128, 0.42, 0.48, 1.35, 3),
    "IR20": Look(112, 0.66, 0.40, 0.65, 3),
    "KarnatakaPonni": Look(82, 0.66, 0.50, 1.4, 7),
    "Onthanel": Look(146, 0.45, 0.55, 0.8, 5),
    "Ponni": Look(116, 0.34, 0.64, 1.15, 6),
    "RR": Look(66, 0.42, 0.56, 1.2, 2),
    "Surya": Look(102, 0.72, 0.62, 0.7, 7),
    "Zonal": Look(134, 0.60, 0.38, 1.1, 5),
}


def paint(
    what: str,  # a disease or normal, see lesions.DISEASES
    variety: str,  # see VARIETIES
    rng: np.random.Generator,
    *,
    height_px: int = 192,
    width_px: int = 144,
) -> Image.Image:
    """Return one picture. The severity has a Beta distribution: the mildest cases look normal."""
    times = 2 if max(height_px, width_px) < FINE_PX else 1
    high, wide = height_px * times, width_px * times
    grid = np.mgrid[:high, :wide].astype("f4") / min(high, wide)
    camera, grain = rng.spawn(2)
    canvas = _background(rng, high, wide)
    severity, look = rng.beta(2.6, 1.0), VARIETIES[variety]
    lean, n_blades = rng.normal(0, 0.25), rng.integers(3, 7)
    for i in range(n_blades):
        _blade(
            canvas,
            grid,
            rng,
            what=what,
            look=look,
            severity=severity,
            depth=1 - (i + 1) / n_blades,
            lean=lean,
        )
    image = Image.fromarray(_lit(canvas, grid, camera).clip(0, 255).astype("uint8"))
    image = image.resize((width_px, height_px), Image.Resampling.BOX) if times > 1 else image
    image = image.filter(
        ImageFilter.GaussianBlur(camera.uniform(0, 0.006) * min(height_px, width_px))
    )
    pixels = np.asarray(image, dtype="f4") + camera.uniform(1, 6) * grain.standard_normal(
        (height_px, width_px, 1), dtype="f4"
    )
    pixels += 2 * grain.standard_normal(pixels.shape, dtype="f4")  # in each colour
    return Image.fromarray(pixels.clip(0, 255).astype("uint8"))


def _background(rng: np.random.Generator, high: int, wide: int) -> Array:
    """Return a blurred background."""
    near, far = GROUNDS[rng.choice(len(GROUNDS), p=(0.2, 0.15, 0.15, 0.35, 0.15))]
    cells = [(4, 3), (8, 14), (40, 30)]
    fields = [
        Image.fromarray(rng.standard_normal(c, dtype="f4")).resize(
            (wide, high), Image.Resampling.BICUBIC
        )
        for c in cells
    ]
    share = 0.5 + sum(w * np.asarray(f) for w, f in zip((0.22, 0.18, 0.08), fields, strict=True))
    return np.asarray(near, dtype="f4") + share[..., None] * (
        np.asarray(far, dtype="f4") - np.asarray(near, dtype="f4")
    )


def _blade(
    canvas: Array,  # painted on in place
    grid: Array,  # y and x of each pixel, in short sides of the image
    rng: np.random.Generator,
    *,
    what: str,
    look: Look,
    severity: float,
    depth: float,  # 0 for the blade in front, nearly 1 for the one furthest behind
    lean: float,  # of the whole plant, radians
) -> None:
    """Paint one blade over the canvas."""
    (y, x), is_heart = grid, depth == 0
    high, wide = float(y[-1, 0]), float(x[0, -1])
    angle = 0.7 * lean + rng.normal(0, 0.08) if is_heart else lean + rng.normal(0, 0.4)
    sin, cos = math.sin(max(-1.1, min(1.1, angle))), math.cos(max(-1.1, min(1.1, angle)))
    tip = (
        wide * (rng.uniform(0.3, 0.7) + 0.35 * sin)
        if is_heart
        else wide * rng.uniform(-0.05, 1.05),
        high * rng.uniform(-0.08, 0.2 if is_heart else 0.45),
    )
    half = (
        0.135
        * look.width
        * rng.normal(1, 0.08)
        * (1.15 if is_heart else rng.uniform(0.65, 1.0))
        * (0.6 if is_heart and what == "dead_heart" else 1)
    )
    bend, taper, pixel = rng.normal(0, 0.15), rng.uniform(0.4, 0.9), 1 / min(y.shape)
    along = (y - tip[1]) * cos - (x - tip[0]) * sin
    across = (x - tip[0]) * cos + (y - tip[1]) * sin - bend * along * along
    near = np.nonzero((along > 0) & (np.abs(across) < 1.4 * half + pixel))
    along, across = along[near], across[near]
    width = half * np.sin(np.clip(along / taper, 1e-4, 1) * (math.pi / 2)) ** 0.8
    canvas[near] *= (
        1 - 0.35 * np.clip(1.35 - np.abs(across - 0.02) / width, 0, 0.5)[:, None]
    )  # its shadow
    inside = np.abs(across) < width + pixel / 2
    if not inside.any():
        return
    on, along, across, width = (
        (near[0][inside], near[1][inside]),
        along[inside],
        across[inside],
        width[inside],
    )
    v = np.clip(across / width, -1, 1)
    blade = lesions.Blade(
        along,
        across,
        v,
        np.empty((len(v), 3), dtype="f4"),
        half_width=half,
        length=min(high / cos, 1.3),
        is_heart=is_heart,
    )
    blade.rgb[:] = _green(look, rng) * (1 - 0.45 * depth)
    ribs = 0.07 * np.cos(2 * np.pi * look.veins * v) + 0.22 * np.exp(-((v / 0.07) ** 2))
    mottle = 0.06 * lesions.noise(rng, blade.along, blade.across + half, cell_x=0.12, cell_y=0.04)
    blade.rgb *= (1 + ribs + mottle - 0.18 * v * v + rng.normal(0, 0.1) * v)[:, None]
    if not is_heart and rng.random() < 0.12:  # an old dry blade, in every class
        blade.blend(lesions.STRAW, np.full(len(v), 0.8, dtype="f4"))
    lesions.specks(blade, rng)
    lesions.DISEASES[what](blade, severity * (1 if is_heart else rng.uniform(0.3, 1)), rng)
    cover = np.clip(
        (width - np.abs(across)) / pixel + 0.5, 0, 1
    )  # pixels at the edge are only partly covered
    canvas[on] += cover[:, None] * (blade.rgb - canvas[on])


def _green(look: Look, rng: np.random.Generator) -> Array:
    hue, saturation, value = (
        look.hue + rng.normal(0, 4),
        look.saturation * rng.normal(1, 0.07),
        look.value * rng.normal(1, 0.07),
    )
    return 255 * np.asarray(
        colorsys.hsv_to_rgb(hue / 360, min(saturation, 1), min(value, 1)), dtype="f4"
    )


def _lit(canvas: Array, grid: Array, camera: np.random.Generator) -> Array:
    """Return the picture with uneven light, another exposure and another white balance."""
    towards = camera.uniform(0, 2 * math.pi)
    light = 1 + camera.uniform(0, 0.35) * (
        math.cos(towards) * (grid[1] - 0.5) + math.sin(towards) * (grid[0] - 0.6)
    )
    return (
        canvas
        * light[..., None]
        * (camera.uniform(0.8, 1.2) * camera.normal(1, 0.05, 3)).astype("f4")
    )
