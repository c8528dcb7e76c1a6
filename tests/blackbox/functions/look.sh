#!/bin/sh
# Tells what it can see and do from where it runs; the first argument is a folder it must not see. What it should
# not have been able to do it undoes.
echo "secret=$(cat "$1/basic-auth-password" 2>/dev/null)"
echo "processes=$(ls /proc | grep -c '^[0-9]')"
echo "interfaces=$(sed -n 's/^ *\([a-z0-9]*\):.*/\1/p' /proc/net/dev | tr '\n' ' ')"
echo "tmp=$(ls -A /tmp | grep -v '^\.' | tr '\n' ' ')"
(echo x >/tmp/mine) 2>/dev/null && echo "writes_tmp=yes"
for folder in / /etc /usr /root /var/tmp /run /work "$1"; do
  (echo x >"$folder/faas-blackbox-was-here") 2>/dev/null && echo "writes=$folder"
  rm -f "$folder/faas-blackbox-was-here" 2>/dev/null
done
sed -n 's/^\(CapEff\|NoNewPrivs\):\t*/\1=/p' /proc/self/status
mount -t tmpfs none /mnt 2>/dev/null && echo "mounts=yes" && umount /mnt
kill -0 "$2" 2>/dev/null && echo "reaches_gateway=yes"
exit 0
