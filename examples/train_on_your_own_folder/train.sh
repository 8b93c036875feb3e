#!/bin/sh
# Checks a folder of labelled images, trains the model `mine` on it and reads the folder with it.
# sh train.sh FOLDER [options of readsmith train]
set -eu
folder=${1:?"give the folder of your images: sh train.sh FOLDER"}
shift

readsmith datasets check "$folder"
readsmith train "$folder" --model mine "$@"
readsmith predict "$folder" --model mine
