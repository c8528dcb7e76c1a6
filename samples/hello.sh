#!/bin/sh
# A function in shell: the call's path and query arrive as Http_Path and Http_Query, the answer is what it prints.
name=${Http_Path:-}
name=${name#/}
greeting=Hello
case ${Http_Query:-} in
  greeting=*) greeting=$(printf '%s' "${Http_Query#greeting=}" | tr + ' ') ;;
esac
printf '%s, %s!\n' "$greeting" "${name:-world}"
