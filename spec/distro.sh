#!/bin/sh
# Runs raia's first commands in a minimal Debian of another suite: distro.sh SUITE, as root.
# The base system is kept in build/distro; each run takes a copy of it, and a new clone. All that
# is mounted, or started, is in namespaces of its own: it goes when the script goes, whatever ends
# that. MIRROR is where packages come from (else: what this machine's apt is configured for), and
# SECONDS_AT_MOST the limit.
set -eu
suite=${1:-}
seconds=${SECONDS_AT_MOST:-3600}

fail() {
  echo "make distro: $*" >&2
  exit 1
}

missing() { ! command -v "$1" >/dev/null; }

case $suite in
  bookworm | trixie | sid) ;;
  *) fail "say SUITE=bookworm, SUITE=trixie or SUITE=sid" ;;
esac
test "$(id -u)" = 0 || fail "needs root, for debootstrap, chroot and mount: sudo make distro SUITE=$suite"
missing debootstrap && fail "needs debootstrap: apt-get install debootstrap"
missing git && fail "needs git, to make a clone: apt-get install git"

cd "$(dirname "$0")/.."
if [ "${2:-}" != within ]; then
  exec timeout --foreground --kill-after=10 "$seconds" \
    unshare --mount --pid --fork --kill-child "$0" "$suite" within
fi

work=$PWD/build/distro
base=$work/$suite.base system=$work/$suite archives=$work/$suite.debs log=$work/$suite.log
status=$work/$suite.status

# The mirror of Debian that apt is configured for.
mirror() {
  apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Label: Debian' 2>/dev/null |
    grep '^http' || echo http://deb.debian.org/debian
}

# What apt is told here about how to get at it.
apt_settings() {
  apt-config dump Acquire 2>/dev/null |
    grep -E '^Acquire::(Check-Valid-Until|Retries|https?)\b' || true
}

# Runs a command in the clone, as a user would: with nothing set but what leads to the mirror.
in_clone() {
  env -i HOME=/root TERM="${TERM:-dumb}" LANG=C.UTF-8 PATH=/usr/sbin:/usr/bin:/sbin:/bin \
    ${http_proxy:+http_proxy="$http_proxy"} ${https_proxy:+https_proxy="$https_proxy"} \
    ${no_proxy:+no_proxy="$no_proxy"} \
    chroot "$system" sh -c 'cd /root/raia && exec "$@"' in_clone "$@"
}

say() { echo "== $suite: $*"; }

mkdir -p "$work" "$archives"
exec 9>"$work/$suite.lock"
flock -n 9 || fail "another is at work on $suite"
if [ ! -d "$base" ]; then
  say "the base system, from ${MIRROR:=$(mirror | head -n 1)}"
  rm -rf --one-file-system "$base.part"
  debootstrap --force-check-gpg --variant=minbase --include=make,ca-certificates \
    "$suite" "$base.part" "$MIRROR" >"$log" 2>&1 || {
    tail -n 20 "$log"
    fail "no base system; all of debootstrap's account is in $log"
  }
  mv "$base.part" "$base"
fi

say "a copy of it, and a clone in there"
rm -rf --one-file-system "$system"
cp -a --reflink=auto "$base" "$system"
cp /etc/resolv.conf "$system/etc/"
apt_settings >"$system/etc/apt/apt.conf.d/99here"
printf '#!/bin/sh\nexit 101\n' >"$system/usr/sbin/policy-rc.d" # packages start no services
chmod 755 "$system/usr/sbin/policy-rc.d"
git clone -q --no-hardlinks . "$system/root/raia"
test -z "$(git status --porcelain)" || say "what is not committed is not in it"
mount -t proc proc "$system/proc"
mount --rbind /dev "$system/dev"
mount --bind "$archives" "$system/var/cache/apt/archives"

say "make demo"
in_clone make demo || fail "make demo failed in $suite"
say "$(in_clone sh -c 'echo libcurl $(pkg-config --modversion libcurl), $(lua5.4 -v | cut -c1-9), \
  $(openssl version | cut -d" " -f1,2), $(gcc --version | sed q)')"
say "make test"
{ in_clone make test 2>&1 && echo 0 >"$status" || echo 1 >"$status"; } | tee "$log"
say "$(grep -E '^[0-9]+ passed, [0-9]+ failed$' "$log" | tail -n 1)"
exit "$(cat "$status")"
