#!/bin/sh
# Trains a model on a running trainer: sh train.sh ZIP [MODEL]
set -eu
trainer=${READSMITH_TRAINER_URL:-http://localhost:8000}
key="Authorization: Bearer ${READSMITH_API_KEY:-}"
zip=${1:?"give a zip of labelled images: sh train.sh ZIP [MODEL]"}
model=${2:-default}

ask() {
    curl -sS --fail-with-body ${READSMITH_API_KEY:+-H "$key"} "$@"
}

dataset=$(ask -F "file=@\"$zip\"" "$trainer/datasets" | grep -o 'dataset-[0-9a-f]*' | head -n 1)
job=$(ask -H "Content-Type: application/json" "$trainer/jobs" \
    -d "{\"dataset\": {\"id\": \"$dataset\"}, \"model\": \"$model\"}" |
    grep -o 'job-[0-9a-f]*' | head -n 1)

ask -N -H "Accept: text/event-stream" "$trainer/jobs/$job/events" # until the job has ended
ask "$trainer/jobs/$job" | grep '"status":"succeeded"'
