#!/usr/bin/env bash
# service.sh PORT: the reference service with the database in DATABASE_URL.
set -euo pipefail
[[ $# -eq 1 && -n ${DATABASE_URL:-} ]] || { echo "usage: DATABASE_URL=... service.sh PORT" >&2 && exit 2; }
exec build/release/bin/service --listen "127.0.0.1:$1" --db "$DATABASE_URL" --connections 16 --shards 1 --budget 4G
