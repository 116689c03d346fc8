"""Shapes and textures, as pure functions of coordinates, for the synthetic data sets.

All of them take and return float64 arrays of shape (N, 32, 32). CPUs disagree about the last bit of
a sine. In double precision that bit is too small to change a pixel's 8-bit value, so the images are
the same on every machine.

A shape maps (u, v), in units of its own radius, to a signed distance, which is negative inside. A
texture maps a `Place` to a mixing weight, from 0 to 1, between the object's two colors.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Plane = NDArray[np.float64]


def disc(u: Plane, v: Plane) -> Plane:
    """Return the signed distance to a filled circle."""
    return np.hypot(u, v) - 0.9


def ring(u: Plane, v: Plane) -> Plane:
    """Return the signed distance to a circle with a hole."""
    return np.abs(np.hypot(u, v) - 0.7) - 0.27


def triangle(u: Plane, v: Plane) -> Plane:
    """Return the signed distance to an equilateral triangle."""
    leg = np.abs(u) * np.cos(np.pi / 6) + v * np.sin(np.pi / 6)
    return np.maximum(leg, -v) - 0.55


def square(u: Plane, v: Plane) -> Plane:
    """Return the signed distance to a square."""
    return np.maximum(np.abs(u), np.abs(v)) - 0.75


def frame(u: Plane, v: Plane) -> Plane:
    """Return the signed distance to a square with a square hole."""
    return np.abs(np.maximum(np.abs(u), np.abs(v)) - 0.62) - 0.22


def cross(u: Plane, v: Plane) -> Plane:
    """Return the signed distance to two crossed bars of equal length."""
    across = np.maximum(np.abs(u) - 0.95, np.abs(v) - 0.28)
    upright = np.maximum(np.abs(u) - 0.28, np.abs(v) - 0.95)
    return np.minimum(across, upright)


def star(u: Plane, v: Plane) -> Plane:
    """Return the signed distance to a star with five points."""
    sector = 2 * np.pi / 5
    folded = np.abs(np.mod(np.arctan2(v, u) + sector / 2, sector) - sector / 2)
    radius = np.hypot(u, v)
    tip, notch = 1.1, 0.45
    edge = np.array([notch * np.cos(sector / 2) - tip, notch * np.sin(sector / 2)])
    normal = np.array([edge[1], -edge[0]]) / np.hypot(*edge)
    return normal[0] * (radius * np.cos(folded) - tip) + normal[1] * radius * np.sin(folded)


def bar(u: Plane, v: Plane) -> Plane:
    """Return the signed distance to a long rectangle."""
    return np.maximum(np.abs(u) - 1.05, np.abs(v) - 0.34)


def crescent(u: Plane, v: Plane) -> Plane:
    """Return the signed distance to a disc minus a smaller disc."""
    return np.maximum(np.hypot(u, v) - 0.98, 0.72 - np.hypot(u - 0.55, v))


def pair(u: Plane, v: Plane) -> Plane:
    """Return the signed distance to two discs side by side."""
    return np.hypot(np.abs(u) - 0.58, v) - 0.46


@dataclass(frozen=True)
class Place:
    """Where a texture is drawn; all fields except `noise` are in pixels or radians.

    Attributes:
        along: Distance from the object's center along the texture's own direction.
        across: The same, at a right angle.
        inside: Depth below the object's edge; negative outside.
        period: Length of one repeat, shape (N, 1, 1).
        phase: Offset in radians, shape (N, 1, 1).
        noise: Standard normal noise.
    """

    along: Plane
    across: Plane
    inside: Plane
    period: Plane
    phase: Plane
    noise: Plane


def _wave(position: Plane, place: Place) -> Plane:
    return np.sin(2 * np.pi * position / place.period + place.phase)


def _edge(value: Plane) -> Plane:
    return np.clip(0.5 + 1.5 * value, 0.0, 1.0)


def plain(place: Place) -> Plane:
    """Return weights for one color."""
    return np.zeros_like(place.along)


def striped(place: Place) -> Plane:
    """Return weights for parallel bands."""
    return _edge(_wave(place.along, place))


def checked(place: Place) -> Plane:
    """Return weights for a chessboard."""
    return _edge(2 * _wave(place.along, place) * _wave(place.across, place))


def dotted(place: Place) -> Plane:
    """Return weights for dots on a square grid."""
    return _edge(2 * (_wave(place.along, place) + _wave(place.across, place) - 1.0))


def ringed(place: Place) -> Plane:
    """Return weights for concentric bands."""
    return _edge(_wave(np.hypot(place.along, place.across), place))


def rayed(place: Place) -> Plane:
    """Return weights for sectors around the center."""
    return _edge(2 * np.sin(5 * np.arctan2(place.across, place.along)))


def speckled(place: Place) -> Plane:
    """Return weights for pixels of random color."""
    return _edge(2 * place.noise)


def shaded(place: Place) -> Plane:
    """Return weights for a smooth gradient between the colors."""
    return np.clip(0.5 + place.along / 14, 0.0, 1.0)


def outlined(place: Place) -> Plane:
    """Return weights for an outline in the other color."""
    return np.clip(2.0 - place.inside, 0.0, 1.0)


def halved(place: Place) -> Plane:
    """Return weights for two halves."""
    return _edge(place.along)


SHAPES: dict[str, Callable[[Plane, Plane], Plane]] = {
    shape.__name__: shape
    for shape in (disc, square, triangle, star, cross, ring, frame, bar, crescent, pair)
}
TEXTURES: dict[str, Callable[[Place], Plane]] = {
    texture.__name__: texture
    for texture in (
        plain,
        striped,
        checked,
        dotted,
        ringed,
        rayed,
        speckled,
        shaded,
        outlined,
        halved,
    )
}
