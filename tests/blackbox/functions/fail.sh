#!/bin/sh
# Fails, with a reason on its standard error.
echo "the reason is here" >&2
exit 3
