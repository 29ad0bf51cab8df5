#!/usr/bin/env bash
# wheels/aarch64.sh FOLDER: FOLDER/python, an aarch64 Python with SciPy and llvmlite that qemu-user runs here. Its
# packages are Debian's, unpacked into FOLDER: nothing else of this machine changes. Needs qemu-user, on Debian.
set -euo pipefail
mkdir -p "$1"/apt/{lists,archives}/partial "$1"/root
cd "$1"
folder=$PWD
command -v qemu-aarch64 >/dev/null || { echo "aarch64: there is no qemu-aarch64 (apt-get install qemu-user)"; exit 1; }
: > apt/status
get() {
    apt-get -qq -o APT::Architecture=arm64 -o APT::Architectures::=arm64 -o APT::Install-Recommends=0 -o Debug::NoLocking=1 \
        -o Dir::State::lists="$folder/apt/lists" -o Dir::State::status="$folder/apt/status" -o Dir::Cache="$folder/apt" "$@"
}
get update
get --yes --download-only install python3 libstdc++6 >/dev/null
for each in apt/archives/*.deb; do dpkg-deb --extract "$each" root; done
[ -e root/lib ] || ln -s usr/lib root/lib  # newer packages have all of it below usr
rm -r apt
python=$(cd root/usr/bin && echo python3.[0-9]*[0-9])
python3 -m pip install --quiet --disable-pip-version-check --no-compile --target site --only-binary=:all: \
    --python-version "${python#python}" --platform manylinux2014_aarch64 --platform manylinux_2_28_aarch64 numpy scipy llvmlite
cat > python <<END
#!/bin/sh
PYTHONPATH="$folder/site\${PYTHONPATH:+:\$PYTHONPATH}" exec qemu-aarch64 -L "$folder/root" "$folder/root/usr/bin/$python" "\$@"
END
chmod +x python
./python -c "import os, scipy.special, llvmlite.binding; assert os.uname().machine == 'aarch64'"
