"""Rotations as unit quaternions (…, 4) in the order x, y, z, w, on any array-API library.

Formulas: Solà, Deray, Atchuthan, "A micro Lie theory for state estimation in robotics" (2018).
"""

from __future__ import annotations

from ebm_mpc_ros.models.base import Array, array_namespace, zeros

_SMALL_ANGLE_SQUARED = 1e-8


def multiply(p: Array, q: Array) -> Array:
    """Return the Hamilton product p ⊗ q: first rotate by `q`, then by `p`."""
    xp = array_namespace(p)
    px, py, pz, pw = p[..., 0], p[..., 1], p[..., 2], p[..., 3]
    qx, qy, qz, qw = q[..., 0], q[..., 1], q[..., 2], q[..., 3]
    return xp.stack(
        [
            pw * qx + px * qw + py * qz - pz * qy,
            pw * qy - px * qz + py * qw + pz * qx,
            pw * qz + px * qy - py * qx + pz * qw,
            pw * qw - px * qx - py * qy - pz * qz,
        ],
        axis=-1,
    )


def conjugate(q: Array) -> Array:
    """Return the inverse rotation of a unit quaternion."""
    xp = array_namespace(q)
    return xp.concat([-q[..., :3], q[..., 3:]], axis=-1)


def normalize(q: Array) -> Array:
    """Return `q` scaled to unit length."""
    xp = array_namespace(q)
    return q / xp.sqrt(xp.sum(q * q, axis=-1, keepdims=True))


def exp(vector: Array) -> Array:
    """Return the quaternion of a rotation vector (…, 3) in rad."""
    xp = array_namespace(vector)
    squared = xp.sum(vector * vector, axis=-1, keepdims=True)
    small = squared < _SMALL_ANGLE_SQUARED
    angle = xp.sqrt(xp.where(small, xp.ones_like(squared), squared))
    scale = xp.where(small, 0.5 - squared / 48.0, xp.sin(0.5 * angle) / angle)
    cosine = xp.where(small, 1.0 - squared / 8.0, xp.cos(0.5 * angle))
    return normalize(xp.concat([vector * scale, cosine], axis=-1))


def log(q: Array) -> Array:
    """Return the rotation vector (…, 3) of a unit quaternion, of length at most pi."""
    xp = array_namespace(q)
    real = q[..., 3:]
    sign = xp.where(real < 0.0, -xp.ones_like(real), xp.ones_like(real))
    vector, real = q[..., :3] * sign, real * sign
    squared = xp.sum(vector * vector, axis=-1, keepdims=True)
    small = squared < _SMALL_ANGLE_SQUARED
    sine = xp.sqrt(xp.where(small, xp.ones_like(squared), squared))
    near_zero = 2.0 / real - 2.0 * squared / (3.0 * real * real * real)
    scale = xp.where(small, near_zero, 2.0 * xp.atan2(sine, real) / sine)
    return vector * scale


def matrix(q: Array) -> Array:
    """Return the rotation matrix (…, 3, 3) of a unit quaternion."""
    x, y, z, w = q[..., 0], q[..., 1], q[..., 2], q[..., 3]
    out = zeros(q, 3, 3)
    out[..., 0, 0] = 1.0 - 2.0 * (y * y + z * z)
    out[..., 0, 1] = 2.0 * (x * y - z * w)
    out[..., 0, 2] = 2.0 * (x * z + y * w)
    out[..., 1, 0] = 2.0 * (x * y + z * w)
    out[..., 1, 1] = 1.0 - 2.0 * (x * x + z * z)
    out[..., 1, 2] = 2.0 * (y * z - x * w)
    out[..., 2, 0] = 2.0 * (x * z - y * w)
    out[..., 2, 1] = 2.0 * (y * z + x * w)
    out[..., 2, 2] = 1.0 - 2.0 * (x * x + y * y)
    return out


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
    squared = xp.sum(vector * vector, axis=-1)
    small = squared < _SMALL_ANGLE_SQUARED
    safe = xp.where(small, xp.ones_like(squared), squared)
    angle = xp.sqrt(safe)
    first = xp.where(small, 0.5 - squared / 24.0, (1.0 - xp.cos(angle)) / safe)
    second = xp.where(small, 1.0 / 6.0 - squared / 120.0, (angle - xp.sin(angle)) / (safe * angle))
    cross = skew(vector)
    out = first[..., None, None] * cross + second[..., None, None] * (cross @ cross)
    for i in range(3):
        out[..., i, i] += 1.0
    return out


def from_rpy(roll: Array, pitch: Array, yaw: Array) -> Array:
    """Return the quaternion of Rz(yaw) Ry(pitch) Rx(roll), angles (…) in rad."""
    xp = array_namespace(roll)
    cr, sr = xp.cos(0.5 * roll), xp.sin(0.5 * roll)
    cp, sp = xp.cos(0.5 * pitch), xp.sin(0.5 * pitch)
    cy, sy = xp.cos(0.5 * yaw), xp.sin(0.5 * yaw)
    return xp.stack(
        [
            sr * cp * cy - cr * sp * sy,
            cr * sp * cy + sr * cp * sy,
            cr * cp * sy - sr * sp * cy,
            cr * cp * cy + sr * sp * sy,
        ],
        axis=-1,
    )


def to_rpy(q: Array) -> tuple[Array, Array, Array]:
    """Return roll, pitch, yaw (…) in rad; at pitch = ±pi/2 roll takes the whole rotation."""
    xp = array_namespace(q)
    x, y, z, w = q[..., 0], q[..., 1], q[..., 2], q[..., 3]
    sine = xp.clip(2.0 * (w * y - z * x), -1.0, 1.0)
    roll = xp.atan2(2.0 * (w * x + y * z), 1.0 - 2.0 * (x * x + y * y))
    yaw = heading(q)
    return roll, xp.asin(sine), yaw


def heading(q: Array) -> Array:
    """Return the yaw (…) of a quaternion in rad."""
    xp = array_namespace(q)
    x, y, z, w = q[..., 0], q[..., 1], q[..., 2], q[..., 3]
    return xp.atan2(2.0 * (w * z + x * y), 1.0 - 2.0 * (y * y + z * z))
