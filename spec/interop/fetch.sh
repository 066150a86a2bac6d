#!/bin/sh
# fetch.sh ROOT PACKAGE: unpacks a package of Debian, and what it needs beside what is installed,
# into ROOT. Nothing is installed, so no service is started, now or with the machine.
set -e
command -v apt-get >/dev/null
mkdir -p "$1" && cd "$1"
mkdir -p apt/lists/partial apt/archives/partial
apt() {
  apt-get -qq -o Dir::State="$PWD/apt" -o Dir::Cache="$PWD/apt" -o Debug::NoLocking=1 \
    -o Dir::State::status=/var/lib/dpkg/status -o APT::Sandbox::User=root "$@"
}
test -e apt/pkgcache.bin || apt update
rm -f apt/archives/*.deb
apt install -y --download-only --no-install-recommends "$2" >/dev/null
for deb in apt/archives/*.deb; do dpkg-deb -x "$deb" .; done
