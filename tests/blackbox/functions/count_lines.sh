#!/bin/sh
# Answers each line of its input as it comes.
while read -r line; do
  echo "got $line"
done
