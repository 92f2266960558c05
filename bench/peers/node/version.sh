#!/usr/bin/env bash
# Prints the versions of Node.js and of its V8.
set -euo pipefail
# shellcheck disable=SC2016 # the expansions are JavaScript's
exec node --print '`Node.js ${process.versions.node}, V8 ${process.versions.v8.split("-")[0]}`'
