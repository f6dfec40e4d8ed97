#!/usr/bin/env bash
# Makes the lock files: hashed, for every Python and platform of pyproject.toml, naming no index host and no path.
# Usage: requirements/lock.sh UV [--upgrade]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
uv=$1
shift

lock() { # lock NAME [uv's options: which extras and groups]
    local name=$1
    shift
    echo "requirements/$name.txt"
    # fewest: one version of each package for all Pythons, where there is one.
    "$uv" pip compile pyproject.toml "$@" --quiet --no-config --universal --python-version 3.11 --fork-strategy fewest \
        --constraint requirements/constraints.in --only-binary :all: --generate-hashes --no-emit-index-url --no-emit-find-links \
        --custom-compile-command "make lock" --output-file "requirements/$name.txt"
}

lock run --group build --extra cpu --extra learn --extra metrics "$@"
lock cuda --group build --extra cuda --extra learn --extra metrics "$@"
lock train --group build --extra cpu --extra train "$@"
lock train-gpu --group build --extra cpu --extra train-gpu "$@"
lock test --group build --extra cpu --extra train --extra dev "$@"
lock test-daemon --group build --extra cpu --extra test "$@"
lock bulk --group build --extra cpu --extra bulk "$@"
lock system --group build --extra cpu --extra system "$@"
