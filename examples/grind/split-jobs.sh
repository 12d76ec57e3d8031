#!/bin/sh
# Cuts the search of one KALE block into jobs for many machines: PARTS lines per farmer, none overlapping.
#
#   ./split-jobs.sh INDEX ENTROPY UNTIL PARTS FARMER… > jobs.ndjson
#
# UNTIL is the Unix time at which every machine answers with its best so far. The id of a job is its farmer.
set -eu
[ $# -ge 5 ] || { echo "usage: $0 INDEX ENTROPY UNTIL PARTS FARMER…" >&2; exit 2; }
index=$1 entropy=$2 until=$3 parts=$4
shift 4
# A quarter of the nonce space stays within the shell's 64-bit signed numbers, and is more than any farm can search.
step=$((4611686018427387904 / parts))
part=0
while [ "$part" -lt "$parts" ]; do
  for farmer in "$@"; do
    printf '{"id":"%s","index":%s,"entropy":"%s","farmer":"%s","start":"%s","nonces":"%s","until":%s}\n' \
      "$farmer" "$index" "$entropy" "$farmer" "$((part * step))" "$step" "$until"
  done
  part=$((part + 1))
done
