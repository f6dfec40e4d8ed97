#!/usr/bin/env bash
# Makes an environment from a lock file, or leaves it alone when it is up to date.
# Usage: requirements/venv.sh FOLDER LOCK     LOCK: the name of a lock file beside this script; or auto, which is cuda
#                                             where an NVIDIA driver fits, else run; or auto-train: train-gpu or train
# PYTHON=/path/to/python chooses the Python; otherwise the newest working one on the PATH is taken that the lock file
# holds for: 3.11 to 3.14, and up to 3.13 where TensorFlow is in it.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
folder=$1
lock=$2
driver_min_13=580 # what CUDA 13, which onnxruntime-gpu is built for, asks of the driver
driver_min_12=525 # and CUDA 12, which TensorFlow brings
newest=14         # the newest Python 3 that the lock files were tried with
newest_training=13 # and that TensorFlow has a wheel for

die() {
    printf 'phototriage: %s\n' "$*" >&2
    exit 1
}

# Prints "MINOR COMPLETE PATH" of a Python that runs and fits. Version managers leave shims on the PATH that exist and
# fail when they are run, so nothing but running it tells.
probe() {
    "$1" -c '
import importlib.util, sys
if not (3, 11) <= sys.version_info[:2] <= (3, int(sys.argv[1])):
    raise SystemExit(1)
complete = all(importlib.util.find_spec(name) for name in ("venv", "ensurepip"))
print(sys.version_info[1], int(complete), sys.executable)' "$newest" 2>/dev/null || true
}

candidates() {
    if [ -n "${PYTHON:-}" ]; then
        probe "$PYTHON"
        return
    fi
    local name path
    for name in python3.14 python3.13 python3.12 python3.11 python3 python; do
        type -aP "$name" || true
    done | while IFS= read -r path; do probe "$path"; done
}

pick_python() { # a complete one before a newer one without venv
    local found fit best minor complete path last=$newest
    if needs_tensorflow; then last=$newest_training; fi
    found=$(candidates)
    fit=$(printf '%s\n' "$found" | while read -r minor path; do
        if [ "${minor:-99}" -le "$last" ]; then printf '%s %s\n' "$minor" "$path"; fi
    done)
    if [ -z "$fit" ] && [ -n "$found" ]; then
        read -r minor complete path <<<"$found"
        die "TensorFlow has no wheel for Python 3.$minor ($path), so that Python can sort photos (make run), and cannot" \
            "train. Install Python 3.11, 3.12 or 3.13 beside it and name it: make $(target) PYTHON=/path/to/python3.13"
    fi
    [ -n "$fit" ] || die "no Python 3.11 to 3.$last that works was found${PYTHON:+ as PYTHON=$PYTHON}." \
        "Install one (Debian and Ubuntu: apt install python3 python3-venv), or name it:" \
        "make $(target) PYTHON=/path/to/python3"
    best=$(printf '%s\n' "$fit" | sort -s -k2,2nr -k1,1nr | head -n 1)
    read -r minor complete path <<<"$best"
    [ "$complete" = 1 ] || die "$path is Python 3.$minor without the venv module." \
        "Install it (Debian and Ubuntu: apt install python3.$minor-venv), then run this again"
    printf '%s\n' "$path"
}

needs_tensorflow() {
    case $lock in train | train-gpu | test) true ;; *) false ;; esac
}

target() { # the make target that wants this lock file
    case $lock in train | train-gpu) echo training ;; bulk | system) echo "$lock" ;; test | test-daemon) echo test ;; *) echo run ;; esac
}

abilities() { # what the chosen Python can do, for somebody who installs the daemon
    case $lock in run | cuda) ;; *) return ;; esac
    if [ "$1" -le "$newest_training" ]; then
        echo "Python 3.$1 can sort photos, and train."
    else
        echo "Python 3.$1 can sort photos, and cannot train, because TensorFlow has no wheel for it: for" \
            "\`make training\` install Python 3.11, 3.12 or 3.13 beside it."
    fi
}

# The driver's major version, 0 without one.
driver() {
    local version
    # No `| head`: with several GPUs nvidia-smi would die of the closed pipe, and look like no driver at all.
    version=$(nvidia-smi --query-gpu=driver_version --format=csv,noheader 2>/dev/null) || version=
    version=${version%%.*}
    case $version in '' | *[!0-9]*) echo 0 ;; *) echo "$version" ;; esac
}

choose_lock() { # choose_lock LOCK_WITH_GPU LOCK_WITHOUT CUDA DRIVER_MIN
    local version
    version=$(driver)
    if [ "$version" -ge "$4" ] && [ "$(uname -sm)" = "Linux x86_64" ]; then
        echo "$1"
        return
    fi
    if [ "$version" -gt 0 ]; then
        echo "NVIDIA driver $version found, but $3 needs $4 or newer on Linux x86_64: the CPU will do the work." >&2
    fi
    echo "$2"
}

download() { # measured on Linux x86_64, November 2026
    case $1 in
    run) echo "about 110 MB (ONNX Runtime for the CPU, because no NVIDIA driver fits, and scipy), a minute" ;;
    cuda) echo "about 1.6 GB (ONNX Runtime, CUDA 13 and cuDNN, because an NVIDIA GPU is here), some minutes" ;;
    train-gpu) echo "about 3.8 GB (TensorFlow and CUDA 12, because an NVIDIA GPU is here), some minutes" ;;
    test-daemon) echo "about 120 MB (what the daemon's tests need), half a minute" ;;
    system) echo "about 260 MB (Ray, pyarrow and an S3 server), a minute" ;;
    bulk) echo "about 220 MB (Ray and pyarrow are most of it), a minute" ;;
    *) echo "about 750 MB (TensorFlow is most of it), some minutes" ;;
    esac
}

pip_install() {
    "$folder/bin/python" -m pip install -qq --disable-pip-version-check --no-input --progress-bar off "$@"
}

# One record for what is being made, written first, and one for each finished step, written last: an interrupted
# install goes on, a changed lock file or Python or a moved clone starts over, a changed pyproject.toml repeats step two.
make_environment() {
    local python=$1 lock_file=$2 wanted project
    wanted="$("$python" -c 'import sys; print(sys.version, sys.base_prefix)') $(cksum <"$lock_file") $PWD"
    project=$(cksum <pyproject.toml)
    if [ "$(cat "$folder/.wanted" 2>/dev/null)" != "$wanted" ] || ! "$folder/bin/python" -c 'import pip' 2>/dev/null; then
        rm -rf "$folder"
        "$python" -m venv "$folder" || die "$python could not make an environment in $folder (what it says stands above)"
        printf '%s\n' "$wanted" >"$folder/.wanted"
    fi
    if [ ! -e "$folder/.locked" ]; then
        abilities "$python_minor" >&2
        echo "Installing into $folder with Python 3.${python_minor}: $(download "$lock")." >&2
        pip_install --only-binary :all: --require-hashes -r "$lock_file" ||
            die "the packages could not be installed (what pip says stands above). If the network was away, run the" \
                "same command again: it goes on where it stopped"
        touch "$folder/.locked"
    fi
    if [ "$(cat "$folder/.installed" 2>/dev/null)" != "$project" ]; then
        pip_install --no-deps --no-build-isolation --editable . ||
            die "phototriage itself could not be installed into $folder (what pip says stands above)"
        printf '%s\n' "$project" >"$folder/.installed"
    fi
}

unset PYTHONPATH PYTHONHOME
case $lock in
auto) lock=$(choose_lock cuda run "CUDA 13" "$driver_min_13") ;;
auto-train) lock=$(choose_lock train-gpu train "CUDA 12" "$driver_min_12") ;;
esac
[ -e "requirements/$lock.txt" ] || die "there is no lock file requirements/$lock.txt"
python=$(pick_python)
python_minor=$("$python" -c 'import sys; print(sys.version_info[1])')
make_environment "$python" "requirements/$lock.txt"
