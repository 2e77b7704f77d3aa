"""Rotations as unit quaternions (…, 4) in the order x, y, z, w, on any array-API library.

Formulas: Solà, Deray, Atchuthan, "A micro Lie theory for state estimation in robotics" (2018).
Each is written once, on columns: the last axis taken apart, floats for a single NumPy vector, which
are many times faster than arrays of one, and arrays of the batch otherwise.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ebm_mpc_ros.models.base import Array, array_namespace, wrap_angle, zeros

Column = Any
Columns = Sequence[Column]

_SMALL_ANGLE_SQUARED = 1e-8
# Keeps sin(a/2)/a and atan2(a, w)/a defined at a = 0, where rounding makes them exact.
_TINY = 1e-20
_GIMBAL_LOCK = 1e-8


def columns(a: Array) -> list[Column]:
    """Return the last axis of `a` taken apart."""
    if isinstance(a, np.ndarray) and a.ndim == 1:
        return list(a.tolist())
    return [a[..., i] for i in range(a.shape[-1])]


def stacked(like: Array, parts: Columns) -> Array:
    """Return columns as the last axis of an array of the library and type of `like`."""
    if isinstance(parts[0], float):
        return np.array(parts, dtype=like.dtype if like.dtype.kind == "f" else None)
    return array_namespace(like).stack(parts, axis=-1)


def functions(column: Column) -> Any:
    """Return the module of sin, cos, sqrt, atan2 for columns of that kind."""
    return math if isinstance(column, float) else array_namespace(column)


def choose(condition: Any, a: Column, b: Column) -> Column:
    """Return `a` where the condition holds and `b` elsewhere."""
    if isinstance(condition, bool):
        return a if condition else b
    return array_namespace(condition).where(condition, a, b)


def product(p: Columns, q: Columns) -> tuple[Column, ...]:
    """Return the columns of p ⊗ q."""
    px, py, pz, pw = p
    qx, qy, qz, qw = q
    return (
        pw * qx + px * qw + py * qz - pz * qy,
        pw * qy - px * qz + py * qw + pz * qx,
        pw * qz + px * qy - py * qx + pz * qw,
        pw * qw - px * qx - py * qy - pz * qz,
    )


def unit(q: Columns) -> tuple[Column, ...]:
    """Return the columns of `q` scaled to unit length."""
    x, y, z, w = q
    scale = 1.0 / functions(x).sqrt(x * x + y * y + z * z + w * w)
    return x * scale, y * scale, z * scale, w * scale


def exp_columns(vector: Columns) -> tuple[Column, ...]:
    """Return the quaternion's columns of a rotation vector's."""
    x, y, z = vector
    f = functions(x)
    angle = f.sqrt(x * x + y * y + z * z + _TINY)
    scale = f.sin(0.5 * angle) / angle
    return x * scale, y * scale, z * scale, f.cos(0.5 * angle)


def log_columns(q: Columns) -> tuple[Column, ...]:
    """Return the rotation vector's columns of a unit quaternion's."""
    x, y, z, w = q
    f = functions(x)
    sine = f.sqrt(x * x + y * y + z * z + _TINY)
    scale = 2.0 * f.atan2(sine, abs(w)) / sine
    scale = choose(w < 0.0, -scale, scale)
    return x * scale, y * scale, z * scale


def matrix_columns(q: Columns) -> tuple[Column, ...]:
    """Return the rotation matrix's nine entries, row by row."""
    x, y, z, w = q
    xx, yy, zz = x * x, y * y, z * z
    xy, xz, yz, xw, yw, zw = x * y, x * z, y * z, x * w, y * w, z * w
    return (
        *(1.0 - 2.0 * (yy + zz), 2.0 * (xy - zw), 2.0 * (xz + yw)),
        *(2.0 * (xy + zw), 1.0 - 2.0 * (xx + zz), 2.0 * (yz - xw)),
        *(2.0 * (xz - yw), 2.0 * (yz + xw), 1.0 - 2.0 * (xx + yy)),
    )


def left_jacobian_columns(vector: Columns) -> tuple[Column, ...]:
    """Return the left Jacobian's nine entries, row by row."""
    x, y, z = vector
    f = functions(x)
    squared = x * x + y * y + z * z
    angle = f.sqrt(squared + _TINY)
    half = f.sin(0.5 * angle) / angle
    a = 2.0 * half * half
    exact = (angle - f.sin(angle)) / (angle * angle * angle)
    b = choose(squared < _SMALL_ANGLE_SQUARED, 1.0 / 6.0 - squared / 120.0, exact)
    bx, by, bz = b * x, b * y, b * z
    return (
        *(1.0 - by * y - bz * z, bx * y - a * z, bx * z + a * y),
        *(bx * y + a * z, 1.0 - bx * x - bz * z, by * z - a * x),
        *(bx * z - a * y, by * z + a * x, 1.0 - bx * x - by * y),
    )


def times(M: Columns, v: Columns) -> tuple[Column, ...]:
    """Return the columns of M v, with M as nine entries."""
    a, b, c, d, e, f, g, h, i = M
    x, y, z = v
    return a * x + b * y + c * z, d * x + e * y + f * z, g * x + h * y + i * z


def rpy_columns(q: Columns) -> tuple[Column, ...]:
    """Return the columns of roll, pitch, yaw of a unit quaternion's."""
    x, y, z, w = q
    f = functions(x)
    sine, cosine = 2.0 * (w * x + y * z), 1.0 - 2.0 * (x * x + y * y)
    level = f.sqrt(sine * sine + cosine * cosine)
    pitch = f.atan2(2.0 * (w * y - z * x), level)
    locked = level < _GIMBAL_LOCK
    roll = choose(locked, wrap_angle(2.0 * f.atan2(x, w)), f.atan2(sine, cosine))
    yaw = heading_column(q)
    return roll, pitch, choose(locked, 0.0 * yaw, yaw)


def heading_column(q: Columns) -> Column:
    """Return the yaw of a unit quaternion's columns."""
    x, y, z, w = q
    return functions(x).atan2(2.0 * (w * z + x * y), 1.0 - 2.0 * (y * y + z * z))


def from_rpy_columns(roll: Column, pitch: Column, yaw: Column) -> tuple[Column, ...]:
    """Return the quaternion's columns of Rz(yaw) Ry(pitch) Rx(roll)."""
    f = functions(roll)
    cr, sr = f.cos(0.5 * roll), f.sin(0.5 * roll)
    cp, sp = f.cos(0.5 * pitch), f.sin(0.5 * pitch)
    cy, sy = f.cos(0.5 * yaw), f.sin(0.5 * yaw)
    return (
        sr * cp * cy - cr * sp * sy,
        cr * sp * cy + sr * cp * sy,
        cr * cp * sy - sr * sp * cy,
        cr * cp * cy + sr * sp * sy,
    )


def multiply(p: Array, q: Array) -> Array:
    """Return the Hamilton product p ⊗ q: first rotate by `q`, then by `p`."""
    return stacked(p, product(columns(p), columns(q)))


def conjugate(q: Array) -> Array:
    """Return the inverse rotation of a unit quaternion."""
    x, y, z, w = columns(q)
    return stacked(q, [-x, -y, -z, w])


def normalize(q: Array) -> Array:
    """Return `q` scaled to unit length."""
    return stacked(q, unit(columns(q)))


def exp(vector: Array) -> Array:
    """Return the quaternion of a rotation vector (…, 3) in rad."""
    return stacked(vector, exp_columns(columns(vector)))


def log(q: Array) -> Array:
    """Return the rotation vector (…, 3) of a unit quaternion, of length at most pi."""
    return stacked(q, log_columns(columns(q)))


def matrix(q: Array) -> Array:
    """Return the rotation matrix (…, 3, 3) of a unit quaternion."""
    return _square(q, matrix_columns(columns(q)))


def skew(vector: Array) -> Array:
    """Return the matrix [a]× (…, 3, 3) with [a]× b = a × b."""
    x, y, z = vector[..., 0], vector[..., 1], vector[..., 2]
    out = zeros(vector, 3, 3)
    out[..., 0, 1], out[..., 0, 2] = -z, y
    out[..., 1, 0], out[..., 1, 2] = z, -x
    out[..., 2, 0], out[..., 2, 1] = -y, x
    return out


def left_jacobian(vector: Array) -> Array:
    """Return J (…, 3, 3) with exp(a + δ) ≈ exp(J δ) ⊗ exp(a)."""
    return _square(vector, left_jacobian_columns(columns(vector)))


def from_rpy(roll: Array, pitch: Array, yaw: Array) -> Array:
    """Return the quaternion of Rz(yaw) Ry(pitch) Rx(roll), angles (…) in rad."""
    return stacked(roll, from_rpy_columns(roll, pitch, yaw))


def to_rpy(q: Array) -> tuple[Array, Array, Array]:
    """Return roll, pitch, yaw (…) in rad; at pitch = ±pi/2 roll takes the whole rotation."""
    roll, pitch, yaw = rpy_columns(columns(q))
    return roll, pitch, yaw


def heading(q: Array) -> Array:
    """Return the yaw (…) of a quaternion in rad."""
    return heading_column(columns(q))


def _square(like: Array, entries: Columns) -> Array:
    flat = stacked(like, entries)
    return array_namespace(like).reshape(flat, (*flat.shape[:-1], 3, 3))
