"""Augmentation: random views of images, drawn on the device and read from each image once.

A view is flipped, rotated, warped, zoomed, cropped and lit. The distributions are those of fastai's
`aug_transforms`, except the crop, which is drawn per image instead of per batch. fastai resamples
at full size, and again for the crop; here all of it is one sampling at the network's size.
Source: fastai.vision.augment 2.8.
"""

import math
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F

P_AFFINE = P_LIGHTING = 0.75  # probability of a rotation, warp or zoom; of a lighting change
MAX_ROTATE_DEG = 10.0
MAX_WARP = MAX_LIGHTING = 0.2
MAX_ZOOM = 1.1
_EPS = 1e-3  # keeps black and white away from 0 and 1, which have no logit


@dataclass(frozen=True)
class Augment:
    """How pixels become the input of a network."""

    size: tuple[int, int]  # (height, width) in pixels of the network's input
    mean: tuple[float, ...]  # of the network's normalisation, by channel
    std: tuple[float, ...]
    min_scale: float = 0.75  # smallest share of the area that a random crop keeps; 1: no crop
    flip_vert: bool = False  # draw all eight rotations and mirrors, not only left and right
    mult: float = 1.0  # strength of everything but the crop; 0: crop and mirror only

    def plain(self, pixels: Any) -> Any:
        """Return whole images at the network's size, normalised.

        `pixels` is (n, height, width, 3) bytes. They are sampled like random views, not smoother.
        """
        identity = torch.eye(3, device=pixels.device).expand(len(pixels), 3, 3)
        return self._normalise(_sample(pixels, identity, self.size))

    def unchanged(self, pixels: Any) -> Any:
        """Return images that have the network's size already, normalised."""
        return self._normalise(pixels.permute(0, 3, 1, 2).float().div_(255))

    def random(self, pixels: Any) -> Any:
        """Return a random view of each image, normalised. Draws from torch's generator."""
        homographies = self._homographies(len(pixels), pixels.device)
        return self._normalise(self._light(_sample(pixels, homographies, self.size)))

    def _homographies(self, n: int, device: Any) -> Any:
        """Draw (n, 3, 3) maps from places in the view to places in the image, both -1 to 1."""
        draw = _Draw(n, device)
        crop = draw.scale_and_shift(draw.uniform(self.min_scale, 1.0).sqrt())
        flip = draw.matrix({(0, 0): draw.sign()})
        if self.flip_vert:
            sign, swap = draw.sign(), (draw.sign() < 0).float()
            keep = 1 - swap
            flip = flip @ draw.matrix(
                {(0, 0): keep, (0, 1): swap, (1, 0): swap, (1, 1): sign * keep}
            )
        max_angle = self.mult * math.radians(MAX_ROTATE_DEG)
        angle = draw.sometimes(draw.uniform(-1, 1) * max_angle)
        cos, sin = angle.cos(), angle.sin()
        rotate = draw.matrix({(0, 0): cos, (0, 1): sin, (1, 0): -sin, (1, 1): cos})
        zoom = draw.sometimes(1 + (MAX_ZOOM - 1) * self.mult * draw.uniform(0, 1), otherwise=1.0)
        zoomed = draw.scale_and_shift(1 / zoom)
        x, y = (draw.sometimes(draw.uniform(-1, 1) * self.mult * MAX_WARP) for _ in range(2))
        return crop @ flip @ rotate @ zoomed @ _warp(x, y)

    def _light(self, views: Any) -> Any:
        """Change brightness and contrast, in the logits of the values as fastai does."""
        if self.mult == 0:
            return views
        draw, most = _Draw(len(views), views.device), min(MAX_LIGHTING * self.mult, 0.9)
        is_lit, is_contrasted = torch.rand(2, len(views), device=views.device) < P_LIGHTING
        bright = draw.uniform(0.5 * (1 - most), 0.5 * (1 + most)).where(is_lit, 0.5)
        contrast = draw.uniform(math.log(1 - most), -math.log(1 - most)).where(is_contrasted, 0.0)
        logits = torch.logit(views, _EPS).add_(torch.logit(bright)[:, None, None, None])
        return logits.mul_(contrast.exp()[:, None, None, None]).sigmoid_()

    def _normalise(self, images: Any) -> Any:
        """Normalise, and put channels last in memory: the fastest layout for convolutions."""
        mean, std = (
            torch.tensor(v, device=images.device)[:, None, None] for v in (self.mean, self.std)
        )
        return images.sub_(mean).div_(std).contiguous(memory_format=torch.channels_last)


@dataclass(frozen=True)
class _Draw:
    """Random draws for n images on a device."""

    n: int
    device: Any

    def uniform(self, low: float, high: float) -> Any:
        return torch.empty(self.n, device=self.device).uniform_(low, high)

    def sometimes(self, values: Any, *, otherwise: float = 0.0) -> Any:
        """Return the values with probability P_AFFINE."""
        return values.where(torch.rand(self.n, device=self.device) < P_AFFINE, otherwise)

    def sign(self) -> Any:
        """Return 1 or -1."""
        return torch.where(torch.rand(self.n, device=self.device) < 0.5, -1.0, 1.0)

    def matrix(self, entries: dict[tuple[int, int], Any]) -> Any:
        """Return (n, 3, 3) identity matrices with these (row, column) entries."""
        out = torch.eye(3, device=self.device).repeat(self.n, 1, 1)
        for (row, column), values in entries.items():
            out[:, row, column] = values
        return out

    def scale_and_shift(self, scale: Any) -> Any:
        """Return matrices that select a part of this scale, at a random place of the image."""
        x, y = ((1 - scale) * self.uniform(-1, 1) for _ in range(2))
        return self.matrix({(0, 0): scale, (1, 1): scale, (0, 2): x, (1, 2): y})


def _sample(pixels: Any, homographies: Any, size: tuple[int, int]) -> Any:
    """Return the views that the homographies select, 0 to 1; images are mirrored at their edges."""
    images = pixels.permute(0, 3, 1, 2).float()
    n, (height, width), device = len(images), size, images.device
    shrink = int(min(images.shape[-2] / height, images.shape[-1] / width) / 2)
    if shrink > 1:  # steps of more than two pixels would skip some
        images = F.avg_pool2d(images, shrink)
    y = (2 * torch.arange(height, device=device) + 1) / height - 1
    x = (2 * torch.arange(width, device=device) + 1) / width - 1
    rows, columns = torch.meshgrid(y, x, indexing="ij")
    places = torch.stack([columns, rows, torch.ones_like(rows)], -1).view(-1, 3)
    grid = (places @ homographies.transpose(1, 2)).view(n, height, width, 3)
    grid = grid[..., :2] / grid[..., 2:]
    views = F.grid_sample(images, grid, padding_mode="reflection", align_corners=False)
    return views.div_(255)


def _warp(x: Any, y: Any) -> Any:
    """Return (n, 3, 3) homographies that move the corners of the square as fastai's Warp does.

    One side becomes longer by x or y, the opposite side shorter.
    """
    one, zero = torch.ones_like(x), torch.zeros_like(x)
    corners = ((-1, -1), (-1, 1), (1, -1), (1, 1))
    to = [(-one - y, -one - x), (-one + y, one + x), (one + y, -one + x), (one - y, one - x)]
    rows, values = [], []
    for (u, v), (a, b) in zip(corners, to, strict=True):
        rows += [torch.stack([u * one, v * one, one, zero, zero, zero, -a * u, -a * v], -1)]
        rows += [torch.stack([zero, zero, zero, u * one, v * one, one, -b * u, -b * v], -1)]
        values += [a, b]
    solved = torch.linalg.solve(torch.stack(rows, -2), torch.stack(values, -1))
    return torch.cat([solved, one[:, None]], -1).view(-1, 3, 3)
