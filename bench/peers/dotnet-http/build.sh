#!/usr/bin/env bash
# Publishes the Kestrel peer for the shared runtime.
set -euo pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")"
export DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_NOLOGO=1

version=$(dotnet --version)
build=$(realpath -m ../../../build/peers)
exec dotnet publish --configuration Release --verbosity quiet "-p:TargetFramework=net${version%%.*}.0" \
  --artifacts-path "$build/dotnet-http-objects" --output "$build/dotnet-http"
