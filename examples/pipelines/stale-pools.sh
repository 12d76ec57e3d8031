#!/bin/sh
# Names the pools whose last sync is older than so many seconds (default 900), with their TVL; exit 1 if there is one.
#   ./stale-pools.sh 600
# Needs jq. Amounts are exact decimals as text: they are passed on as they are, never through a float.
set -eu
limit=${1:-900}
stale=$(poolctl pool list --all --json | jq -r --argjson limit "$limit" '
  .data.pools[]
  | select(.age_sec == null or .age_sec > $limit)
  | [.name, .total_assets // "never synced", .asset.symbol]
  | @tsv')
[ -z "$stale" ] || { printf '%s\n' "$stale"; exit 1; }
