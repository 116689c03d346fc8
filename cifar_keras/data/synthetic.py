"""The synthetic data sets: 32x32 color images generated from a seed, and marked as such.

An image shows one textured shape at a random position, size, angle and contrast, in a random vivid
color and its complement, on a mottled grayish background with clutter and noise. The class is the
pair of texture and shape, so that no single pixel or color gives it away.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cifar_keras.data.dataset import Dataset, Split, content_sha256
from cifar_keras.data.drawing import SHAPES, TEXTURES, Place, Plane
from cifar_keras.errors import DataError

SIZE = 32
# Small enough for the batch to stay in a CPU's cache; must divide every class's size.
BATCH = 20
CLUTTER = 4
# Shapes are rotated by at most this angle to either side; textures by any angle.
LARGEST_TILT = 0.6


@dataclass(frozen=True)
class Plan:
    """The shapes and textures of a synthetic data set, whose classes are all pairs of them."""

    shapes: tuple[str, ...]
    textures: tuple[str, ...]
    train_per_class: int
    test_per_class: int
    shape_is_coarse_label: bool


PLANS = {
    "synthetic10": Plan(tuple(SHAPES)[:5], tuple(TEXTURES)[:2], 500, 100, False),
    "synthetic100": Plan(tuple(SHAPES), tuple(TEXTURES), 100, 20, True),
}


def synthetic(name: str, seed: int = 0) -> Dataset:
    """Generate a synthetic data set; the same name and seed give the same bytes.

    `synthetic10` has 5,000 training and 1,000 test images of 5 shapes in 2 textures. `synthetic100`
    has 10,000 and 2,000 of 10 shapes in 10 textures; the shape is its coarse label. All classes
    have the same size, and mirror images are equally likely.

    Test accuracies, measured once with seed 0: ridge and logistic regression on the pixels, with
    the best of nine penalties, reach 17.6 % on `synthetic10` and 3.5 % on `synthetic100`. A
    residual network of 8 layers (16, 32, 64 filters; crop and flip; batches of 32) reaches 99.7 %
    after 8 epochs and 94.7 % after 10.

    Args:
        name: "synthetic10" or "synthetic100".
        seed: At least 0 and below 2**32.

    Raises:
        DataError: If the name is unknown.
    """
    if name not in PLANS:
        raise DataError(f"unknown synthetic set; known are {', '.join(PLANS)}. Received: {name!r}")
    plan = PLANS[name]
    train = _split(plan, plan.train_per_class, (seed, 0))
    test = _split(plan, plan.test_per_class, (seed, 1))
    return Dataset(
        name=name,
        train=train,
        test=test,
        class_names=tuple(f"{finish} {shape}" for shape in plan.shapes for finish in plan.textures),
        coarse_names=plan.shapes if plan.shape_is_coarse_label else None,
        provenance={
            "name": name,
            "synthetic": True,
            "official": None,
            "content_official": None,
            "layout": f"synthetic seed {seed}",
            "source": "cifar_keras.data.synthetic",
            "files": {},
            "content_sha256": {"train": content_sha256(train), "test": content_sha256(test)},
        },
    )


def _split(plan: Plan, per_class: int, seed: tuple[int, int]) -> Split:
    # RandomState instead of default_rng, because NumPy guarantees that its stream never changes.
    rng = np.random.RandomState(seed)
    images = np.concatenate(
        [
            _draw(rng, shape, texture, BATCH)
            for shape in plan.shapes
            for texture in plan.textures
            for _ in range(per_class // BATCH)
        ]
    )
    labels = np.arange(len(images), dtype=np.int64) // per_class
    order = rng.permutation(len(images))
    return Split(
        images=images[order],
        labels=labels[order],
        coarse_labels=labels[order] // len(plan.textures) if plan.shape_is_coarse_label else None,
    )


def _draw(rng: np.random.RandomState, shape: str, texture: str, count: int) -> NDArray[np.uint8]:
    # Channels come first until the end, because NumPy is slow along a last axis of 3.
    canvas = _background(rng, count)
    for _ in range(CLUTTER):
        _add_line(rng, canvas)
    _add_object(rng, canvas, shape, texture)
    canvas -= 0.5
    canvas *= _uniform(rng, 0.6, 1.0, count)[:, None]
    canvas += 0.5 + _uniform(rng, -0.12, 0.12, count)[:, None]
    canvas += 0.04 * rng.standard_normal(canvas.shape)
    levels = np.rint(255 * np.clip(canvas, 0.0, 1.0)).astype(np.uint8)
    return levels.transpose(0, 2, 3, 1)


def _background(rng: np.random.RandomState, count: int) -> Plane:
    # Random values at 4 x 4 knots, with linear interpolation between them.
    knots = rng.uniform(-0.12, 0.12, (count, 3, 4, 4))
    position = np.linspace(0.0, 3.0, SIZE)
    tent = np.maximum(0.0, 1.0 - np.abs(position[:, None] - np.arange(4.0)))
    mottle = tent @ knots @ tent.T
    return mottle + _grayish(rng, 0.3, 0.7, count)


def _add_line(rng: np.random.RandomState, canvas: Plane) -> None:
    count = len(canvas)
    x, y = _centered(rng, np.full((count, 1, 1), SIZE / 2))
    along, across = _turned(rng, x, y, np.pi)
    beyond = np.maximum(np.abs(along) - _uniform(rng, 0.0, 5.0, count), 0.0)
    inside = _uniform(rng, 0.6, 1.6, count) - np.hypot(beyond, across)
    _paint(canvas, inside, _grayish(rng, 0.0, 1.0, count))


def _add_object(rng: np.random.RandomState, canvas: Plane, shape: str, texture: str) -> None:
    count = len(canvas)
    radius = _uniform(rng, 9.0, 13.0, count)
    x, y = _centered(rng, SIZE / 2 - 0.8 * radius)
    u, v = _turned(rng, x, y, LARGEST_TILT)
    u = u * rng.choice((-1.0, 1.0), (count, 1, 1))
    inside = -radius * SHAPES[shape](u / radius, v / radius)
    along, across = _turned(rng, x, y, np.pi)
    place = Place(
        along=along,
        across=across,
        inside=inside,
        period=_uniform(rng, 4.5, 6.5, count),
        phase=_uniform(rng, 0.0, 2 * np.pi, count),
        noise=rng.standard_normal(along.shape),
    )
    weight = TEXTURES[texture](place)[:, None]
    color = _vivid(rng, count)
    _paint(canvas, inside, (1 - weight) * color + weight * (1 - color))


def _vivid(rng: np.random.RandomState, count: int) -> Plane:
    # A strong, a medium and a weak channel in random order. Together with the complement, no
    # channel is on average brighter than another or than the background.
    levels = rng.uniform((0.75, 0.0, 0.0), (1.0, 1.0, 0.25), (count, 3))
    order = rng.uniform(size=(count, 3)).argsort(axis=1)
    return np.take_along_axis(levels, order, axis=1)[:, :, None, None]


def _grayish(rng: np.random.RandomState, low: float, high: float, count: int) -> Plane:
    return _uniform(rng, low, high, count)[:, None] + rng.uniform(-0.1, 0.1, (count, 3, 1, 1))


def _uniform(rng: np.random.RandomState, low: float, high: float, count: int) -> Plane:
    return rng.uniform(low, high, (count, 1, 1))


def _centered(rng: np.random.RandomState, reach: Plane) -> tuple[Plane, Plane]:
    pixels = np.arange(SIZE) - (SIZE - 1) / 2
    x = pixels[None, None, :] - reach * _uniform(rng, -1.0, 1.0, len(reach))
    y = pixels[None, :, None] - reach * _uniform(rng, -1.0, 1.0, len(reach))
    return x, y


def _turned(rng: np.random.RandomState, x: Plane, y: Plane, most: float) -> tuple[Plane, Plane]:
    angle = _uniform(rng, -most, most, len(x))
    cosine, sine = np.cos(angle), np.sin(angle)
    return cosine * x + sine * y, cosine * y - sine * x


def _paint(canvas: Plane, inside: Plane, color: Plane) -> None:
    cover = np.clip(0.5 + inside, 0.0, 1.0)[:, None]
    canvas += cover * (color - canvas)
