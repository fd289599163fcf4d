"""Batches of pixels as a network takes them: flipped, turned, warped, zoomed, cropped and lit in one sampling at the size that is wanted.

The distributions are those of fastai's `aug_transforms`, but for the crop, which is drawn for each image and not for each batch. fastai
resamples at full size, and again for the crop: here an image is read once, where it is looked at. Source: fastai.vision.augment 2.8.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

P_AFFINE = P_LIGHTING = 0.75  # of an image to be turned, warped, zoomed; to be lit
MAX_ROTATE_DEG = 10.0
MAX_WARP = MAX_LIGHTING = 0.2
MAX_ZOOM = 1.1
_EPS = 1e-3  # of black and white, which have no logit


@dataclass(frozen=True)
class Augment:
    "How pixels become the input of a network."

    size: tuple[int, int]  # (height, width) in pixels that the network sees
    mean: tuple[float, ...]  # of the network's normalisation, by channel
    std: tuple[float, ...]
    min_scale: float = 0.75  # smallest share of the area that a random crop keeps; 1: no crop
    flip_vert: bool = (
        False  # whether up is as good as down: then all eight turns and mirrors are drawn
    )
    mult: float = 1.0  # strength of everything but the crop; 0: crop and mirror only

    def plain(self, pixels: Any) -> Any:
        "Return the whole images at the network's size, normalised; `pixels` is (n, height, width, 3) of bytes. Sampled as the views are: no smoother."
        import torch

        return self._normalised(
            self._seen(pixels, torch.eye(3, device=pixels.device).expand(len(pixels), 3, 3))
        )

    def random(self, pixels: Any) -> Any:
        "Return a random view of each image, normalised. Draws from torch's generator of the device."
        return self._normalised(
            self._lit(self._seen(pixels, self._homographies(len(pixels), pixels.device)))
        )

    def _seen(self, pixels: Any, homographies: Any) -> Any:
        "The places of the images that the homographies point at, as numbers from 0 to 1."
        return _sampled(pixels.permute(0, 3, 1, 2).float(), homographies, self.size).div_(255)

    def _homographies(self, n: int, device: Any) -> Any:
        "Draw (n, 3, 3): from a place in the view to a place in the image, both from -1 to 1."
        import torch

        def drawn(low: float, high: float) -> Any:
            return torch.empty(n, device=device).uniform_(low, high)

        def sometimes(values: Any, otherwise: float = 0.0) -> Any:
            return torch.where(
                torch.rand(n, device=device) < P_AFFINE, values, torch.full_like(values, otherwise)
            )

        ones, zeros = torch.ones(n, device=device), torch.zeros(n, device=device)

        def matrix(*rows: Any) -> Any:
            return torch.stack([torch.stack(row, -1) for row in rows], -2)

        side = drawn(self.min_scale, 1.0).sqrt()
        crop = matrix(
            (side, zeros, (1 - side) * drawn(-1, 1)),
            (zeros, side, (1 - side) * drawn(-1, 1)),
            (zeros, zeros, ones),
        )
        mirror = torch.where(torch.rand(n, device=device) < 0.5, -ones, ones)
        flip = matrix((mirror, zeros, zeros), (zeros, ones, zeros), (zeros, zeros, ones))
        if self.flip_vert:
            upside = torch.where(torch.rand(n, device=device) < 0.5, -ones, ones)
            swap = (torch.rand(n, device=device) < 0.5).float()
            flip = flip @ matrix(
                ((1 - swap) * ones, swap, zeros),
                (swap, upside * (1 - swap), zeros),
                (zeros, zeros, ones),
            )
        angle = sometimes(drawn(-1, 1) * self.mult * math.radians(MAX_ROTATE_DEG))
        turn = matrix(
            (angle.cos(), angle.sin(), zeros),
            (-angle.sin(), angle.cos(), zeros),
            (zeros, zeros, ones),
        )
        zoom = 1 / sometimes(1 + (MAX_ZOOM - 1) * self.mult * drawn(0, 1), 1.0)
        zoomed = matrix(
            (zoom, zeros, (1 - zoom) * drawn(-1, 1)),
            (zeros, zoom, (1 - zoom) * drawn(-1, 1)),
            (zeros, zeros, ones),
        )
        warp = _warp(
            sometimes(drawn(-1, 1) * self.mult * MAX_WARP),
            sometimes(drawn(-1, 1) * self.mult * MAX_WARP),
        )
        return crop @ flip @ turn @ zoomed @ warp

    def _lit(self, views: Any) -> Any:
        "Change brightness and contrast where a photograph would: in the logits of the values."
        import torch

        if self.mult == 0:
            return views
        n, device, reach = len(views), views.device, min(MAX_LIGHTING * self.mult, 0.9)
        does = torch.rand(2, n, device=device) < P_LIGHTING
        bright = torch.where(
            does[0],
            torch.empty(n, device=device).uniform_(0.5 * (1 - reach), 0.5 * (1 + reach)),
            torch.full((n,), 0.5, device=device),
        )
        contrast = torch.where(
            does[1],
            torch.empty(n, device=device).uniform_(math.log(1 - reach), -math.log(1 - reach)),
            torch.zeros(n, device=device),
        ).exp()
        logits = torch.logit(views, _EPS)
        return (
            logits.add_(torch.logit(bright)[:, None, None, None])
            .mul_(contrast[:, None, None, None])
            .sigmoid_()
        )

    def _normalised(self, images: Any) -> Any:
        "Subtract the mean and divide by the deviation; channels last in memory, which convolutions on CPUs and tensor cores like best."
        import torch

        mean, std = (
            torch.tensor(v, device=images.device)[:, None, None] for v in (self.mean, self.std)
        )
        return images.sub_(mean).div_(std).contiguous(memory_format=torch.channels_last)


def _sampled(images: Any, homographies: Any, size: tuple[int, int]) -> Any:
    "Read each image at the places that its homography sends the view's pixels to; outside it is mirrored."
    import torch
    import torch.nn.functional as F

    n, (height, width), device = len(images), size, images.device
    shrink = int(
        min(images.shape[-2] / height, images.shape[-1] / width) / 2
    )  # more than two pixels a step would be skipped over
    if shrink > 1:
        images = F.avg_pool2d(images, shrink)
    y = (2 * torch.arange(height, device=device) + 1) / height - 1
    x = (2 * torch.arange(width, device=device) + 1) / width - 1
    places = torch.stack(
        [
            x.expand(height, width),
            y[:, None].expand(height, width),
            torch.ones(height, width, device=device),
        ],
        -1,
    )
    there = (places.view(-1, 3) @ homographies.transpose(1, 2)).view(n, height, width, 3)
    return F.grid_sample(
        images,
        there[..., :2] / there[..., 2:],
        mode="bilinear",
        padding_mode="reflection",
        align_corners=False,
    )


def _warp(x: Any, y: Any) -> Any:
    "Homographies (n, 3, 3) that move the corners of the square as fastai's Warp does: one side longer by x or y, the opposite one shorter."
    import torch

    one = torch.ones_like(x)
    to = [(-one - y, -one - x), (-one + y, one + x), (one + y, -one + x), (one - y, one - x)]
    rows, values, zero = [], [], torch.zeros_like(x)
    for (u, v), (a, b) in zip(((-1, -1), (-1, 1), (1, -1), (1, 1)), to, strict=True):
        rows += [torch.stack([u * one, v * one, one, zero, zero, zero, -a * u, -a * v], -1)]
        rows += [torch.stack([zero, zero, zero, u * one, v * one, one, -b * u, -b * v], -1)]
        values += [a, b]
    solved = torch.linalg.solve(torch.stack(rows, -2), torch.stack(values, -1))
    return torch.cat([solved, one[:, None]], -1).view(-1, 3, 3)
