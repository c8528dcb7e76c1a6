#!/bin/sh
# Says something and then nothing, for ever.
echo "first words"
sleep "7777.$1"
