#!/bin/sh
# Says in one line each what `poolctl health` finds, and hands it to a command that sends it; silent while all is well.
#   ./notify.sh mail -s 'poolctl' ops@example.org
# Needs jq.
set -eu
status=0
report=$(poolctl health --json) || status=$?
# 0 = healthy, 5 = it is not; anything else means that it cannot be told, which is worth a word too.
case $status in
  0) exit 0 ;;
  5) text=$(printf '%s' "$report" | jq -r '.error.details.findings[]') ;;
  *) text=$(printf '%s' "$report" | jq -r '"poolctl health: " + .error.code + ": " + .error.message') ;;
esac
printf '%s\n' "$text" | "$@"
