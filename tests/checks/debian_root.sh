#!/usr/bin/env bash
# Builds the library and the tests of tare::net in a root of another Debian release, with its OpenSSL and g++, and runs
# the TLS tests there. OpenSSL's internal behavior is a contract only for versions that this has tested.
#
#   tests/checks/debian_root.sh trixie /var/tmp/trixie          # as root; needs debootstrap
#   TARE_TEST_EVERY_SPLIT=1 tests/checks/debian_root.sh trixie /var/tmp/trixie tls_handover_test
#
# The second argument is the folder of the root. It is created if it does not exist, and kept: remove it yourself. The
# other arguments are tests to run instead of all TLS tests. The mirror is the one that apt uses.
set -euo pipefail

suite=${1:?"which Debian: trixie, for one"}
root=${2:?"the folder of the root"}
shift 2
tests=("$@")
[ ${#tests[@]} -ne 0 ] || tests=(tls_test tls_more_test tls_options_test tls_secrets_test tls_handover_test)
top=$(git -C "$(dirname "$0")" rev-parse --show-toplevel)

if [ ! -e "$root/etc/debian_version" ]; then
  # shellcheck disable=SC2016  # the names are for apt-get
  mirror=$(apt-get indextargets --format '$(LABEL) $(REPO_URI)' 'Created-By: Packages' |
    sed -n 's/^Debian //p' | head -n 1)
  [ -n "$mirror" ] || { echo "apt knows no mirror of Debian" >&2; exit 2; }
  packages=g++,cmake,ninja-build,pkg-config,openssl,libssl-dev,liburing-dev,libc-ares-dev,libgtest-dev,libgmock-dev
  debootstrap --variant=minbase --include="$packages" "$suite" "$root" "$mirror"
fi

mkdir -p "$root/src"
git -C "$top" archive HEAD | tar -x -C "$root/src"
mountpoint -q "$root/proc" || { mount -t proc proc "$root/proc"; trap 'umount "$root/proc"' EXIT; }

options=(-DCMAKE_BUILD_TYPE=RelWithDebInfo)
for part in HTTP DB SYMBOLS COMMAND FRAMES_PASS BENCH EXAMPLES; do options+=("-DTARE_BUILD_$part=OFF"); done
chroot "$root" cmake -G Ninja -S /src -B /src/build "${options[@]}" -DTARE_INSTALL=OFF >/dev/null
chroot "$root" ninja -C /src/build "${tests[@]}"
chroot "$root" openssl version
failed=0
for test in "${tests[@]}"; do chroot "$root" "/src/build/bin/$test" || failed=1; done
exit "$failed"
