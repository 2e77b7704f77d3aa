"""The optimal control problem, its QP, the real-time iteration on OSQP, and the command limiter."""
