#!/usr/bin/env bash
# Asks pypi.org what is known of vulnerabilities in the locked packages: nothing is installed, and nothing is guessed.
# Usage: requirements/audit.sh UV [LOCK...]     LOCK: names of lock files beside this script; without any, all of them
# Needs the network. --strict: a package that nobody could be asked about is a failure, and not silence.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
uv=$1
shift
[ $# -gt 0 ] || set -- run cuda train train-gpu test test-daemon bulk system

failed=
for name in "$@"; do
    echo "== requirements/$name.txt"
    "$uv" tool run --quiet --from pip-audit==2.9.0 pip-audit --strict --disable-pip --require-hashes \
        --progress-spinner off --requirement "requirements/$name.txt" || failed="$failed $name"
done
[ -z "$failed" ] || {
    echo "phototriage: not known to be free of vulnerabilities:$failed. What pip-audit says stands above. If it could not" \
        "ask about a package, reach https://pypi.org itself and not a mirror of it, which may not tell; what it found is" \
        "mended by: make lock UPGRADE=--upgrade" >&2
    exit 1
}
