#!/usr/bin/env bash
# Make .venv from requirements.lock: every file checked against its hash, nothing taken that the lock does not name.
# PYTHON=... chooses the interpreter; otherwise the newest on PATH that really runs, 3.14 last: the ears that need no
# vendor have no wheel for it.
set -euo pipefail
cd "$(dirname "$0")/.."

# Some names on PATH are shims that refuse to run, and Debian's python3 may lack ensurepip: only trying tells.
suits='import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info < (3, 15))'

choose_python() {
    local name
    for name in ${PYTHON:-python3.13 python3.12 python3.11 python3.14 python3 python}; do
        if "$name" -c "$suits" >/dev/null 2>&1; then
            echo "$name"
            return
        fi
    done
    echo "No Python from 3.11 to 3.14 with venv was found; install one, or name it: make env PYTHON=/path/to/python3" >&2
    exit 1
}

if ! .venv/bin/python -c "$suits" >/dev/null 2>&1; then
    python=$(choose_python)
    echo "Making .venv with $("$python" --version)"
    "$python" -m venv --clear .venv
fi
.venv/bin/python -m pip --version >/dev/null 2>&1 || .venv/bin/python -m ensurepip >/dev/null

# pip's own progress is a thousand lines; one line that counts is enough, and the log keeps the rest.
count_up() {
    awk -v total="$(grep -c == requirements.lock)" -v terminal="$([ -t 1 ] && echo 1 || true)" '
        /^(Collecting|Requirement already satisfied:) / { seen++; if (terminal) printf "\r  %d of at most %d packages", seen, total; fflush() }
        /^Installing collected/ { printf (terminal ? "\r" : "") "  %d packages fetched and checked, installing     \n", seen; fflush() }'
}

log=.venv/install.log
: >"$log"
echo "Installing what requirements.lock names (half a minute or so)"
if ! .venv/bin/python -m pip install --disable-pip-version-check --progress-bar off --require-hashes \
        -r requirements.lock 2>>"$log" | tee -a "$log" | count_up ||
    ! .venv/bin/python -m pip install --disable-pip-version-check --quiet --no-deps --no-build-isolation -e . >>"$log" 2>&1; then
    tail -n 20 "$log" >&2
    echo "The environment could not be made; the whole log is in $log. 'make clean' and 'make env' start afresh." >&2
    exit 1
fi
