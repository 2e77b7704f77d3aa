"""One step of a rigid body, written out: the filter's hottest path.

Works on columns (see `rotation`): floats for one state, arrays for a batch. Calls and tuples would
cost as much as the arithmetic, so products are spelled out. With φ = ω dt/2, M = R(q) exp(φ) and J
the left Jacobian of φ:

    p' = p + M s,  s = v dt + a dt²/2        q' = q exp(φ) exp(φ)        v' = v + a dt
    dp'/dθ = -[M s]×   dp'/dv = M dt   dp'/da = M dt²/2   dp'/dω = -[M s]× R J dt/2
    dθ'/dω = (R + M) J dt/2, for J(2φ) = (I + exp φ) J(φ) / 2
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ebm_mpc_ros.models.rotation import choose, functions

if TYPE_CHECKING:
    from ebm_mpc_ros.models.rotation import Column, Columns

ENTRIES = (
    *((0, 4), (0, 5), (1, 3), (1, 5), (2, 3), (2, 4)),
    *((i, 6 + j) for i in range(3) for j in range(3)),
    *((i, 9 + j) for i in range(3) for j in range(3)),
    *((i, 12 + j) for i in range(3) for j in range(3)),
    *((3 + i, 9 + j) for i in range(3) for j in range(3)),
    *((6 + i, 12 + i) for i in range(3)),
)
"""Where A differs from the identity: dp/dθ but its diagonal, dp/dv, dp/dω, dp/da, dθ/dω, dv/da."""
_SMALL_ANGLE_SQUARED = 1e-8
# Keeps sin(a/2)/a defined at a = 0, where rounding makes it exact.
_TINY = 1e-20


def step(columns: Columns, dt: Any) -> tuple[list[Column], list[Column]]:
    """Return the next state's columns (16) and A's `ENTRIES`."""
    px, py, pz, qx, qy, qz, qw, vx, vy, vz, wx, wy, wz, ax, ay, az = columns
    xp = functions(px)
    h = 0.5 * dt
    h2 = h * dt

    # The turn of half a step.
    fx, fy, fz = wx * h, wy * h, wz * h
    squared = fx * fx + fy * fy + fz * fz
    angle = xp.sqrt(squared + _TINY)
    sinc = xp.sin(0.5 * angle) / angle
    tx, ty, tz, tw = fx * sinc, fy * sinc, fz * sinc, xp.cos(0.5 * angle)

    # The attitude half-way and at the end.
    mx = qw * tx + qx * tw + qy * tz - qz * ty
    my = qw * ty - qx * tz + qy * tw + qz * tx
    mz = qw * tz + qx * ty - qy * tx + qz * tw
    mw = qw * tw - qx * tx - qy * ty - qz * tz
    nx = mw * tx + mx * tw + my * tz - mz * ty
    ny = mw * ty - mx * tz + my * tw + mz * tx
    nz = mw * tz + mx * ty - my * tx + mz * tw
    nw = mw * tw - mx * tx - my * ty - mz * tz
    scale = 1.0 / xp.sqrt(nx * nx + ny * ny + nz * nz + nw * nw)

    # M
    xx, yy, zz = mx * mx, my * my, mz * mz
    xy, xz, yz, xw, yw, zw = mx * my, mx * mz, my * mz, mx * mw, my * mw, mz * mw
    m0, m1, m2 = 1.0 - 2.0 * (yy + zz), 2.0 * (xy - zw), 2.0 * (xz + yw)
    m3, m4, m5 = 2.0 * (xy + zw), 1.0 - 2.0 * (xx + zz), 2.0 * (yz - xw)
    m6, m7, m8 = 2.0 * (xz - yw), 2.0 * (yz + xw), 1.0 - 2.0 * (xx + yy)

    # M s
    ux, uy, uz = vx * dt + ax * h2, vy * dt + ay * h2, vz * dt + az * h2
    dx = m0 * ux + m1 * uy + m2 * uz
    dy = m3 * ux + m4 * uy + m5 * uz
    dz = m6 * ux + m7 * uy + m8 * uz

    # R
    xx, yy, zz = qx * qx, qy * qy, qz * qz
    xy, xz, yz, xw, yw, zw = qx * qy, qx * qz, qy * qz, qx * qw, qy * qw, qz * qw
    r0, r1, r2 = 1.0 - 2.0 * (yy + zz), 2.0 * (xy - zw), 2.0 * (xz + yw)
    r3, r4, r5 = 2.0 * (xy + zw), 1.0 - 2.0 * (xx + zz), 2.0 * (yz - xw)
    r6, r7, r8 = 2.0 * (xz - yw), 2.0 * (yz + xw), 1.0 - 2.0 * (xx + yy)

    # J
    a = 2.0 * sinc * sinc
    exact = (angle - xp.sin(angle)) / (angle * angle * angle)
    b = choose(squared < _SMALL_ANGLE_SQUARED, 1.0 / 6.0 - squared / 120.0, exact)
    bx, by, bz = b * fx, b * fy, b * fz
    j0, j1, j2 = 1.0 - by * fy - bz * fz, bx * fy - a * fz, bx * fz + a * fy
    j3, j4, j5 = bx * fy + a * fz, 1.0 - bx * fx - bz * fz, by * fz - a * fx
    j6, j7, j8 = bx * fz - a * fy, by * fz + a * fx, 1.0 - bx * fx - by * fy

    # R J dt/2
    g0, g1 = (r0 * j0 + r1 * j3 + r2 * j6) * h, (r0 * j1 + r1 * j4 + r2 * j7) * h
    g2, g3 = (r0 * j2 + r1 * j5 + r2 * j8) * h, (r3 * j0 + r4 * j3 + r5 * j6) * h
    g4, g5 = (r3 * j1 + r4 * j4 + r5 * j7) * h, (r3 * j2 + r4 * j5 + r5 * j8) * h
    g6, g7 = (r6 * j0 + r7 * j3 + r8 * j6) * h, (r6 * j1 + r7 * j4 + r8 * j7) * h
    g8 = (r6 * j2 + r7 * j5 + r8 * j8) * h

    return [
        *(px + dx, py + dy, pz + dz),
        *(nx * scale, ny * scale, nz * scale, nw * scale),
        *(vx + ax * dt, vy + ay * dt, vz + az * dt),
        *(wx, wy, wz, ax, ay, az),
    ], [
        *(dz, -dy, -dz, dx, dy, -dx),
        *(m0 * dt, m1 * dt, m2 * dt, m3 * dt, m4 * dt, m5 * dt, m6 * dt, m7 * dt, m8 * dt),
        *(dz * g3 - dy * g6, dz * g4 - dy * g7, dz * g5 - dy * g8),
        *(dx * g6 - dz * g0, dx * g7 - dz * g1, dx * g8 - dz * g2),
        *(dy * g0 - dx * g3, dy * g1 - dx * g4, dy * g2 - dx * g5),
        *(m0 * h2, m1 * h2, m2 * h2, m3 * h2, m4 * h2, m5 * h2, m6 * h2, m7 * h2, m8 * h2),
        g0 + (m0 * j0 + m1 * j3 + m2 * j6) * h,
        g1 + (m0 * j1 + m1 * j4 + m2 * j7) * h,
        g2 + (m0 * j2 + m1 * j5 + m2 * j8) * h,
        g3 + (m3 * j0 + m4 * j3 + m5 * j6) * h,
        g4 + (m3 * j1 + m4 * j4 + m5 * j7) * h,
        g5 + (m3 * j2 + m4 * j5 + m5 * j8) * h,
        g6 + (m6 * j0 + m7 * j3 + m8 * j6) * h,
        g7 + (m6 * j1 + m7 * j4 + m8 * j7) * h,
        g8 + (m6 * j2 + m7 * j5 + m8 * j8) * h,
        *(dt, dt, dt),
    ]
