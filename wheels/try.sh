#!/usr/bin/env bash
# wheels/try.sh FOLDER PYTHON: what lies in FOLDER, installed where there is no source: a wheel with the kernels
# needs neither llvmlite nor Numba and has the bits of one without, which does without both more slowly.
set -euo pipefail
folder=$(cd "$1" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$2" -m venv "$work/venv"
cd "$work"
install() { venv/bin/pip install --quiet --disable-pip-version-check "$@"; }
has() { venv/bin/python -c "import importlib.util, sys; sys.exit(importlib.util.find_spec('$1') is None)"; }
fits() {  # OPTIONS: train and evaluate, and say what with
    venv/bin/python "$@" - <<'END'
import sys, time
import numpy as np
import clearprop as cp

assert "site-packages" in cp.__file__, cp.__file__
rng = np.random.default_rng(0)
X, Y = rng.normal(size=(70, 4)), rng.integers(0, 3, 70)
net = cp.Network([4, 5, 3], seed=0)
begin, cpu = time.perf_counter(), time.process_time()
net.fit(X, Y, epochs=3, batch_size=7, progress=False)
took = f"{time.perf_counter() - begin:.2f} s, {time.process_time() - cpu:.2f} s of CPU"
print(f"first fit: {took}", "without llvmlite" if "llvmlite.binding" not in sys.modules else "", file=sys.stderr)
print(net.parameters.tobytes().hex())
END
}

shopt -s nullglob
built=("$folder"/*manylinux*_"$(uname -m)".whl)
if [ ${#built[@]} = 1 ]; then
    install "${built[0]}"
    if has llvmlite || has numba; then echo "try: the wheel with kernels brings what compiles them"; exit 1; fi
    fits -W error > ahead
    du -sm --exclude=pip --exclude=setuptools venv/lib/python*/site-packages | sed 's/\t.*/ MB installed/'
    venv/bin/clearprop train iris --epochs 5 --output iris.safetensors
    venv/bin/clearprop evaluate iris.safetensors iris --json
    install --force-reinstall --no-deps "$folder"/*-none-any.whl
    fits -W always > slowly 2> said
    grep -q "pip install 'clearprop\[jit\]'" said
fi
install "$folder"/*-none-any.whl
has llvmlite
fits -W error > compiled
[ ! -e ahead ] || cmp ahead compiled || echo "the wheel's bits are another variant's"
venv/bin/clearprop train iris --epochs 5 --output iris.safetensors
venv/bin/clearprop evaluate iris.safetensors iris --json
venv/bin/clearprop explain iris.safetensors iris --row 0 --format html --output iris.html
install --force-reinstall --no-deps "$folder"/*.tar.gz
venv/bin/clearprop evaluate iris.safetensors iris --json
