#!/bin/sh
# Grinds one line of a job file per array task.
#
#   sbatch --array=1-"$(wc -l < jobs.ndjson)" slurm-array.sh jobs.ndjson
#   cat solutions.*.ndjson
#
#SBATCH --job-name=kale-grind
#SBATCH --exclusive
#SBATCH --time=00:06:00
#SBATCH --signal=TERM@10
set -eu
jobs=${1:?usage: sbatch --array=1-N slurm-array.sh JOBS}
# exec: the signal before the time is up reaches poolctl, which answers with its best so far.
sed -n "${SLURM_ARRAY_TASK_ID}p" "$jobs" > "job.$SLURM_ARRAY_TASK_ID.ndjson"
exec poolctl grind --jobs "job.$SLURM_ARRAY_TASK_ID.ndjson" > "solutions.$SLURM_ARRAY_TASK_ID.ndjson"
