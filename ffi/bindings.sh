# What the `run-tests` of the bindings share; to be sourced from the folder of the binding.
set -euo pipefail
here=$PWD
root=$(cd ../.. && pwd)
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$root/target}
export THALWEG=${THALWEG:-$CARGO_TARGET_DIR/release/thalweg}

# need CHECK PACKAGE: has apt install the Debian package unless the command CHECK succeeds; fails if it still does not.
need() {
    eval "$1" >/dev/null 2>&1 && return
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        { apt-get update && apt-get install -y --no-install-recommends "$2"; } >/dev/null 2>&1 || true
    fi
    eval "$1" >/dev/null 2>&1 || { echo "cannot run without $2; install it" >&2; exit 1; }
}

# The command that plays the scenarios, and the installed C library.
if [ "$THALWEG" = "$CARGO_TARGET_DIR/release/thalweg" ]; then
    (cd "$root" && cargo build --quiet --release -p thalweg-cli)
fi
if [ -z "${THALWEG_PREFIX:-}" ]; then
    THALWEG_PREFIX=$CARGO_TARGET_DIR/bindings-prefix
    "$THALWEG" install-c --prefix "$THALWEG_PREFIX" >/dev/null
fi
THALWEG_PREFIX=$(cd "$THALWEG_PREFIX" && pwd)
export THALWEG_PREFIX
export LD_LIBRARY_PATH=$THALWEG_PREFIX/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
