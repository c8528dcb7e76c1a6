#!/bin/sh
# Waits in a grandchild: sleep with the argument MARK, so that a test finds it in the process table.
sleep "7777.$1" &
wait
