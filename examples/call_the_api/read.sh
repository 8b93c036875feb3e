#!/bin/sh
# Reads images with a running predictor: sh read.sh IMAGE...
set -eu
predictor=${READSMITH_PREDICTOR_URL:-http://localhost:8080}
key="Authorization: Bearer ${READSMITH_API_KEY:-}"

for image in "$@"; do
    echo "$image"
    curl -sS --fail-with-body ${READSMITH_API_KEY:+-H "$key"} \
        -F "image=@\"$image\"" "$predictor/predict"
done
