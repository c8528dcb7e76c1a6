#!/bin/sh
# Tells what it can do with the secrets in the folder of the first argument, and whether it sees those of DATA_DIR.
echo "user=$(id -u)"
for file in "$1"/*; do
  echo "reads=$(cat "$file")"
  echo "mode=$(stat -c %a "$file")"
  (echo x >"$file") 2>/dev/null && echo "writes=$file"
  rm -f "$file" 2>/dev/null && echo "removes=$file"
done
(echo x >"$1/new") 2>/dev/null && echo "makes=new"
cat "$DATA_DIR"/secrets/*/* 2>/dev/null && echo "store=seen"
cat "$DATA_DIR"/mounted/*/* 2>/dev/null && echo "store=seen"
exit 0
