#!/usr/bin/env bash
# Publishes the .NET peer: `jit` for the shared runtime, `aot` as native code, which fetches its compiler from NuGet.
# With --check, only reports by its status whether there is an SDK.
set -euo pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")"
export DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_NOLOGO=1

version=$(dotnet --version)
major=${version%%.*}
((major >= 8))

build=$(realpath -m ../../../build/peers)
common=(--configuration Release --verbosity quiet "-p:TargetFramework=net$major.0")
case ${1:-} in
  --check) ;;
  jit)
    exec dotnet publish "${common[@]}" --artifacts-path "$build/dotnet-objects" --output "$build/dotnet"
    ;;
  aot)
    # Restored from NuGet only once.
    if [[ -x $build/dotnet-aot/peer_dotnet && $build/dotnet-aot/peer_dotnet -nt Program.cs &&
      $build/dotnet-aot/peer_dotnet -nt peer_dotnet.csproj ]]; then
      exit 0
    fi
    exec dotnet publish "${common[@]}" -p:PublishAot=true --use-current-runtime \
      --artifacts-path "$build/dotnet-aot-objects" --output "$build/dotnet-aot"
    ;;
  *)
    echo "usage: build.sh jit|aot|--check" >&2
    exit 2
    ;;
esac
