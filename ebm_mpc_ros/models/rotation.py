"""Rotations as unit quaternions (…, 4) in the order x, y, z, w, on any array-API library.

Formulas: Solà, Deray, Atchuthan, "A micro Lie theory for state estimation in robotics" (2018).
"""

from __future__ import annotations

import numpy as np

from ebm_mpc_ros.models.base import Array, array_namespace, wrap_angle, zeros

_SMALL_ANGLE_SQUARED = 1e-8
# Keeps sin(a/2)/a and atan2(a, w)/a defined at a = 0, where rounding makes them exact.
_TINY = 1e-20
_GIMBAL_LOCK = 1e-8


def multiply(p: Array, q: Array) -> Array:
    """Return the Hamilton product p ⊗ q: first rotate by `q`, then by `p`."""
    px, py, pz, pw = _columns(p)
    qx, qy, qz, qw = _columns(q)
    return _stacked(
        p,
        [
            pw * qx + px * qw + py * qz - pz * qy,
            pw * qy - px * qz + py * qw + pz * qx,
            pw * qz + px * qy - py * qx + pz * qw,
            pw * qw - px * qx - py * qy - pz * qz,
        ],
    )


def conjugate(q: Array) -> Array:
    """Return the inverse rotation of a unit quaternion."""
    x, y, z, w = _columns(q)
    return _stacked(q, [-x, -y, -z, w])


def normalize(q: Array) -> Array:
    """Return `q` scaled to unit length."""
    x, y, z, w = _columns(q)
    scale = 1.0 / array_namespace(q).sqrt(x * x + y * y + z * z + w * w)
    return _stacked(q, [x * scale, y * scale, z * scale, w * scale])


def exp(vector: Array) -> Array:
    """Return the quaternion of a rotation vector (…, 3) in rad."""
    xp = array_namespace(vector)
    x, y, z = _columns(vector)
    angle = xp.sqrt(x * x + y * y + z * z + _TINY)
    scale = xp.sin(0.5 * angle) / angle
    return _stacked(vector, [x * scale, y * scale, z * scale, xp.cos(0.5 * angle)])


def log(q: Array) -> Array:
    """Return the rotation vector (…, 3) of a unit quaternion, of length at most pi."""
    xp = array_namespace(q)
    x, y, z, w = _columns(q)
    sine = xp.sqrt(x * x + y * y + z * z + _TINY)
    scale = 2.0 * xp.atan2(sine, xp.abs(w)) / sine
    scale = xp.where(w < 0.0, -scale, scale)
    return _stacked(q, [x * scale, y * scale, z * scale])


def matrix(q: Array) -> Array:
    """Return the rotation matrix (…, 3, 3) of a unit quaternion."""
    x, y, z, w = _columns(q)
    entries = [
        *(1.0 - 2.0 * (y * y + z * z), 2.0 * (x * y - z * w), 2.0 * (x * z + y * w)),
        *(2.0 * (x * y + z * w), 1.0 - 2.0 * (x * x + z * z), 2.0 * (y * z - x * w)),
        *(2.0 * (x * z - y * w), 2.0 * (y * z + x * w), 1.0 - 2.0 * (x * x + y * y)),
    ]
    return array_namespace(q).reshape(_stacked(q, entries), (*q.shape[:-1], 3, 3))


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
    xp = array_namespace(vector)
    x, y, z = _columns(vector)
    squared = x * x + y * y + z * z
    angle = xp.sqrt(squared + _TINY)
    half = xp.sin(0.5 * angle) / angle
    a = 2.0 * half * half
    exact = (angle - xp.sin(angle)) / (angle * angle * angle)
    b = xp.where(squared < _SMALL_ANGLE_SQUARED, 1.0 / 6.0 - squared / 120.0, exact)
    bx, by, bz = b * x, b * y, b * z
    entries = [
        *(1.0 - by * y - bz * z, bx * y - a * z, bx * z + a * y),
        *(bx * y + a * z, 1.0 - bx * x - bz * z, by * z - a * x),
        *(bx * z - a * y, by * z + a * x, 1.0 - bx * x - by * y),
    ]
    return xp.reshape(_stacked(vector, entries), (*vector.shape[:-1], 3, 3))


def from_rpy(roll: Array, pitch: Array, yaw: Array) -> Array:
    """Return the quaternion of Rz(yaw) Ry(pitch) Rx(roll), angles (…) in rad."""
    xp = array_namespace(roll)
    cr, sr = xp.cos(0.5 * roll), xp.sin(0.5 * roll)
    cp, sp = xp.cos(0.5 * pitch), xp.sin(0.5 * pitch)
    cy, sy = xp.cos(0.5 * yaw), xp.sin(0.5 * yaw)
    return _stacked(
        roll,
        [
            sr * cp * cy - cr * sp * sy,
            cr * sp * cy + sr * cp * sy,
            cr * cp * sy - sr * sp * cy,
            cr * cp * cy + sr * sp * sy,
        ],
    )


def to_rpy(q: Array) -> tuple[Array, Array, Array]:
    """Return roll, pitch, yaw (…) in rad; at pitch = ±pi/2 roll takes the whole rotation."""
    xp = array_namespace(q)
    x, y, z, w = _columns(q)
    sine, cosine = 2.0 * (w * x + y * z), 1.0 - 2.0 * (x * x + y * y)
    level = xp.sqrt(sine * sine + cosine * cosine)
    pitch = xp.atan2(2.0 * (w * y - z * x), level)
    locked = level < _GIMBAL_LOCK
    roll = xp.where(locked, wrap_angle(2.0 * xp.atan2(x, w)), xp.atan2(sine, cosine))
    yaw = heading(q)
    return roll, pitch, xp.where(locked, 0.0 * yaw, yaw)


def heading(q: Array) -> Array:
    """Return the yaw (…) of a quaternion in rad."""
    x, y, z, w = _columns(q)
    return array_namespace(q).atan2(2.0 * (w * z + x * y), 1.0 - 2.0 * (y * y + z * z))


def _columns(a: Array) -> list[Array]:
    """Return the last axis taken apart; a single NumPy vector as floats, which are faster."""
    if isinstance(a, np.ndarray) and a.ndim == 1:
        return list(a.tolist())
    return [a[..., i] for i in range(a.shape[-1])]


def _stacked(like: Array, columns: list[Array]) -> Array:
    """Return the columns as the last axis of an array of the library and type of `like`."""
    if isinstance(columns[0], float):
        return np.array(columns, dtype=like.dtype if like.dtype.kind == "f" else None)
    return array_namespace(like).stack(columns, axis=-1)
