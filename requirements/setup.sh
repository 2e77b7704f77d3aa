#!/bin/sh
# Builds .venv for `make`: on a sourced ROS 2 where there is one, else with ROS 2 as wheels.
# Does nothing where .venv already fits. Runs in the repository's root; $PYTHON names the Python.
set -eu

python=${PYTHON:-python3}
stamp=.venv/setup-stamp

fail() {
  echo "make setup: $*" >&2
  exit 1
}

command -v "$python" >/dev/null ||
  fail "no $python: install python3 (3.11 or newer) and python3-venv"
# A venv is built on the base Python, so that is the one whose packages count.
base=$("$python" -c 'import sys; print(getattr(sys, "_base_executable", sys.executable))') ||
  fail "$python does not run (the reason is above): install python3 (3.11 or newer)"

check() {
  "$base" -c "$1" >/dev/null 2>&1
}

ros=wheels
if [ -n "${ROS_DISTRO:-}" ]; then
  if check 'import rclpy'; then
    ros=$ROS_DISTRO
  elif check 'import importlib.util as u, sys; sys.exit(u.find_spec("rclpy") is None)'; then
    fail "the sourced ROS 2 $ROS_DISTRO is for another Python than $base:" \
      "name its own, as in: make setup PYTHON=/usr/bin/python3"
  fi
fi

# An upgrade of the system's Python leaves a venv behind that points to the new one.
state() {
  printf '%s %s %s\n' "$ros" "$(readlink -f .venv/bin/python)" "$(cat requirements/* | cksum)"
}
[ ! -f "$stamp" ] || [ "$(cat "$stamp")" != "$(state)" ] || exit 0

version=$("$base" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
check 'import sys; sys.exit(sys.version_info < (3, 11))' ||
  fail "$python is Python $version: install 3.11 or newer and name it," \
    "as in: make setup PYTHON=python3.12"
check 'import venv, ensurepip' ||
  fail "$python has no venv module: install python3-venv" \
    "(Debian, Ubuntu: apt-get install python$version-venv)"
if [ "$ros" = wheels ]; then
  [ "$(uname -sm)" = "Linux x86_64" ] ||
    fail "ROS 2 wheels exist for Linux x86-64 only, this is $(uname -sm):" \
      "install ROS 2 Jazzy and source it"
  check 'import sys; sys.exit(sys.version_info >= (3, 14))' ||
    fail "no ROS 2 wheels for Python $version: install 3.11 to 3.13 and name it," \
      "as in: make setup PYTHON=python3.13"
fi

keep=yes
.venv/bin/python -m pip --version >/dev/null 2>&1 || keep=no
if [ -f "$stamp" ]; then
  case $(cat "$stamp") in "$ros "*) ;; *) keep=no ;; esac
fi
if [ "$ros" != wheels ]; then
  grep -qs '^include-system-site-packages = true' .venv/pyvenv.cfg || keep=no
  system=--system-site-packages
fi
if [ $keep = no ]; then
  "$base" -m venv --clear ${system:+"$system"} .venv ||
    fail "could not make .venv (the reason is above)"
fi
rm -f "$stamp"

# The messages of a sourced ROS are built for the NumPy that its Python has.
numpy=2
if [ "$ros" != wheels ] && check 'import numpy, sys; sys.exit(numpy.__version__ >= "2")'; then
  numpy=1
fi
set -- -r requirements/base.txt -r requirements/numpy-$numpy.txt -r requirements/dev.txt
[ "$ros" != wheels ] || set -- "$@" -r requirements/ros.txt
.venv/bin/python -c 'import torch; raise SystemExit(
    tuple(map(int, torch.__version__.split(".")[:2])) < (2, 4))' 2>/dev/null ||
  set -- "$@" -r requirements/torch.txt

echo "make setup: filling .venv (Python $version, ROS 2: $ros); this takes minutes the first time"
# A missing wheel should say so, not start a build; only empy, pure Python, comes without one.
.venv/bin/python -m pip install -qq --disable-pip-version-check --no-input \
  --only-binary :all: --no-binary empy "$@" ||
  fail "pip could not install requirements/ for Python $version on $(uname -sm):" \
    "it needs the network, and a wheel of each package (its reason is above)"
.venv/bin/python -c 'import mujoco, osqp, rclpy, torch' ||
  fail "what was installed does not load (the reason is above)"
state >"$stamp"
