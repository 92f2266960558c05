#!/usr/bin/env bash
# Prepares what the peers need beyond Debian 12: Debian 13's crates and Go, which are unpacked into the user's cache and
# never installed; packages of npm; and the page of `tare race`. ./setup --peers calls it.
# shellcheck disable=SC2317 # `try` calls them
set -euo pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")"

cache=${XDG_CACHE_HOME:-$HOME/.cache}/tare
unpacked=$cache/debian-13
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
log=$(mktemp)
trap 'rm -f -- "$log"' EXIT

say() {
  printf 'setup: %s\n' "$*" >&2
}

# If a step fails, prints one line about it and continues with the others.
failed=0
try() {
  local what=$1
  shift
  say "$what"
  if ! "$@" >"$log" 2>&1 </dev/null; then
    say "did not work: $what: $(grep -E -m 1 '^(E:|error|npm error)' -- "$log" || tail -n 1 -- "$log")"
    failed=1
  fi
}

# The mirror that this machine's apt uses for Debian 12.
mirror() {
  # shellcheck disable=SC2016 # apt-get's own fields
  apt-get indextargets --format '$(REPO_URI) $(CODENAME)' 'Created-By: Packages' |
    sed -n 's/ bookworm$//p' | head -n 1
}

# apt-get with its own lists and state, so that nothing from Debian 13 mixes with this system.
apt_13() {
  apt-get -o "Dir::State=$cache/apt" -o "Dir::State::status=$cache/apt/status" -o "Dir::Cache=$cache/apt/cache" \
    -o "Dir::Etc::sourcelist=$cache/apt/debian-13.sources" -o Dir::Etc::sourceparts=/dev/null \
    -o Acquire::Retries=2 -o Acquire::http::Timeout=20 -o APT::Sandbox::User=root "$@"
}

prepare_apt() {
  mkdir -p "$cache"/apt/{lists,cache/archives}/partial
  : >"$cache/apt/status"
  printf 'Types: deb\nURIs: %s\nSuites: trixie\nComponents: main\nSigned-By: %s\n' "$(mirror)" "$keyring" \
    >"$cache/apt/debian-13.sources"
  apt_13 update
}

# The crates among all dependencies of the packages; the compiler is this system's.
crates_of() {
  apt_13 --no-install-recommends --yes --print-uris install "$@" |
    sed -n -E "s#^'[^']*' (librust-[^_ ]*)_.*#\1#p" | sort -u
}

# Downloads and unpacks packages, all or none. Debian's signature covers the downloads.
unpack() {
  local downloads
  downloads=$(mktemp -d -p "$cache")
  (cd -- "$downloads" && apt_13 download "$@") || { rm -rf -- "$downloads" && return 1; }
  local package
  for package in "$downloads"/*.deb; do
    dpkg-deb --extract "$package" "$downloads/tree"
  done
  mkdir -p "$unpacked"
  cp -a -- "$downloads/tree/." "$unpacked/"
  rm -rf -- "$downloads"
}

fetch_crates() {
  local crates
  mapfile -t crates < <(crates_of librust-tokio-dev librust-futures-dev librust-hyper-dev librust-hyper-util-dev \
    librust-http-body-util-dev librust-axum-dev librust-deadpool-dev librust-tokio-postgres-dev)
  [[ ${#crates[@]} -gt 0 ]] || { echo "E: Debian 13 has no librust-tokio-dev" && return 1; }
  unpack "${crates[@]}"
}

# The version in Debian 12, 1.19, is from 2022.
has_go() {
  ./go/build.sh --check 2>/dev/null && { ! command -v go >/dev/null || [[ $(go env GOVERSION) != go1.19* ]]; }
}

fetch_from_debian_13() {
  local wanted=()
  compgen -G "$unpacked/usr/share/cargo/registry/tokio-postgres-*" >/dev/null || wanted+=(crates)
  has_go || wanted+=(go)
  [[ ${#wanted[@]} -gt 0 ]] || return 0
  try "reading Debian 13's package lists" prepare_apt
  [[ $failed -eq 0 ]] || return 0
  [[ " ${wanted[*]} " != *" crates "* ]] || try "fetching Tokio, hyper, axum and their crates" fetch_crates
  [[ " ${wanted[*]} " != *" go "* ]] || try "fetching Go" unpack golang-1.24-go golang-1.24-src
}

build_page() {
  (cd -- ../report && npm ci --no-audit --no-fund && npm run build)
}

# The packages in the package-lock.json of a peer.
fetch_from_npm() {
  (cd -- "$1" && npm ci --no-audit --no-fund)
}

if command -v apt-get >/dev/null && [[ -r $keyring && -n $(mirror) ]]; then
  fetch_from_debian_13
else
  say "Debian 13's packages cannot be fetched: this needs apt with Debian 12's sources"
fi
if [[ -f ../report/package.json ]]; then
  if command -v npm >/dev/null; then
    try "building the page of tare race" build_page
  else
    say "npm is not installed, so tare race will not write a page; apt-get install npm"
  fi
fi
if command -v npm >/dev/null; then
  try "fetching ws and pg" fetch_from_npm node-http
  try "fetching Bun" fetch_from_npm bun
fi
if command -v cargo >/dev/null && ./rust/build.sh --check 2>/dev/null; then
  try "building the Rust peer" ./rust/build.sh
fi
if command -v cargo >/dev/null && ./hyper/build.sh --check 2>/dev/null; then
  try "building the hyper peer" ./hyper/build.sh
fi
if command -v cargo >/dev/null && ./axum/build.sh --check 2>/dev/null; then
  try "building the axum peer" ./axum/build.sh
fi
if ./go/build.sh --check 2>/dev/null; then try "building the Go peers" ./go/build.sh; fi
if ./java/build.sh --check 2>/dev/null; then
  try "building the Java peer" ./java/build.sh
else
  say "no JDK of version 21 or newer, which Debian 12 does not have: Java will be omitted"
fi
if ./dotnet/build.sh --check 2>/dev/null; then
  try "building the .NET peer" ./dotnet/build.sh jit
  try "building the .NET peer, native" ./dotnet/build.sh aot
  try "building the Kestrel peer" ./dotnet-http/build.sh
else
  say "no .NET SDK, which Debian does not have: .NET will be omitted"
fi
exit "$failed"
