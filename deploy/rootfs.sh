#!/bin/sh
# Lays out the whole file system of the container image: the program, the libraries it is linked to, the roots of the
# system, and a user. No shell, no package manager, nothing else.
# usage: deploy/rootfs.sh PROGRAM FOLDER
set -eu
program=$1
root=$2

install -D -m 0755 "$program" "$root/usr/local/bin/postern"
# The loader and the libraries, each where the program looks for it. glibc resolves names by itself since 2.34.
for library in $(ldd "$program" | grep -o '/[^ ]*'); do
    install -D -m 0755 "$(readlink -f "$library")" "$root$library"
done
roots=/etc/ssl/certs/ca-certificates.crt
if [ -f "$roots" ]; then
    install -D -m 0644 "$roots" "$root$roots"
fi
install -d -m 0755 "$root/etc/postern" "$root/run/postern" "$root/var/lib/postern"
chmod 0700 "$root/run/postern" "$root/var/lib/postern"
echo 'postern:x:65532:65532::/var/lib/postern:/usr/local/bin/postern' > "$root/etc/passwd"
echo 'postern:x:65532:' > "$root/etc/group"
