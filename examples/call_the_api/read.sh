#!/bin/sh
# Reads pictures with a running predictor: sh read.sh PICTURE...
set -eu
predictor=${READSMITH_PREDICTOR_URL:-http://localhost:8080}
key="Authorization: Bearer ${READSMITH_API_KEY:-}"

for picture in "$@"; do
    echo "$picture"
    curl -sS --fail-with-body ${READSMITH_API_KEY:+-H "$key"} \
        -F "image=@\"$picture\"" "$predictor/predict"
done
