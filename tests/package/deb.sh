#!/usr/bin/env bash
# Makes the .deb, reads its control data, unpacks it and runs the command in it. Usage: deb.sh CPACK BUILD VERSION WORK
set -euo pipefail
cpack=$1 build=$2 version=$3 work=$4

fail() {
  echo "deb.sh: $*" >&2
  exit 1
}

rm -rf -- "$work"
"$cpack" -G DEB --config "$build/CPackConfig.cmake" -B "$work"
packages=("$work"/tare_"$version"-1_*.deb)
[[ ${#packages[@]} -eq 1 && -f ${packages[0]} ]] || fail "expected one package, found: ${packages[*]}"
deb=${packages[0]}
dpkg-deb --info "$deb"

[[ $(dpkg-deb --field "$deb" Package) == tare ]] || fail "wrong name"
[[ $(dpkg-deb --field "$deb" Version) == "$version-1" ]] || fail "wrong version"
[[ $(dpkg-deb --field "$deb" Depends) == *libc6*libstdc++6* ]] ||
  fail "the shared libraries are not among the dependencies"

root=$work/unpacked
dpkg-deb -x "$deb" "$root"
for file in usr/lib/libtare.a usr/lib/cmake/tare/tare-config.cmake usr/lib/pkgconfig/tare.pc \
  usr/include/tare/tare.hpp usr/share/doc/tare/copyright usr/lib/cmake/tare/tare-frames-pass.cmake \
  usr/lib/tare/tare-frames-pass.so; do
  [[ -f $root/$file ]] || fail "$file is missing"
done

[[ $("$root/usr/bin/tare" --version) == *"$version"* ]] || fail "the unpacked command does not tell its version"
for page in tare.1 tare-weigh.1 tare-frames.1 tare-check.1 tare-diff.1 tare-compare.1; do
  zcat "$root/usr/share/man/man1/$page.gz" | grep -q '^\.TH' || fail "$page.gz is not a manual page"
done

# Nothing in the package may refer to the folder where it was built.
! grep -rlF -- "$build" "$root/usr/lib/cmake" "$root/usr/lib/pkgconfig" || fail "a path of the build tree is in it"
