#!/bin/sh
# The same for a shell (see function.c), with the tools of any image.
case $1 in
  upper) exec tr a-z A-Z ;;
  lines) n=0; while read -r line; do n=$((n + 1)); echo "$n $line"; done ;;
  greet) sed 's/.*"name":"\([^"]*\)".*/{"hello":"\1"}/' | tr -d '\n' ;;
  ignore) echo 'not read' ;;
  env) printenv "$2" ;;
esac
