#!/bin/sh
# Installs the fonts that the starter is drawn in, as root on Debian: about 1.5 GB.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
xargs apt-get install -y --no-install-recommends <"$here/packages.txt"

# TeX's fonts alone: the package that holds them would install TeX as well.
target=/usr/share/fonts/texlive-fonts-extra
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
apt-get download texlive-fonts-extra
mkdir -p "$target"
dpkg-deb --fsys-tarfile texlive-fonts-extra_*.deb |
    tar -x -C "$target" --strip-components=6 --wildcards '*/fonts/*.otf' '*/fonts/*.ttf'
