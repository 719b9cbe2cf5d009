#!/bin/sh
# Makes the house's own certificate authority once, and one certificate per name that is given:
#   ./certificates.sh FOLDER broker=homeassistant.local homeassistant basement attic
# NAME=HOST is the broker's, with the host that rigs connect to; a rig's NAME is its id.
set -eu
umask 077
folder=$1
shift
mkdir -p "$folder"
cd "$folder"
if [ ! -f house-ca.key ]; then
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 7300 \
        -subj "/CN=This house" -addext "keyUsage=critical,keyCertSign,cRLSign" \
        -keyout house-ca.key -out house-ca.crt 2>/dev/null
fi
for one in "$@"; do
    name=${one%%=*}
    host=${one#*=}
    case $host in
        *[!0-9.]*) alternative="DNS:$host" ;;
        *) alternative="IP:$host" ;;
    esac
    openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=$name" \
        -keyout "$name.key" -out "$name.csr" 2>/dev/null
    printf 'subjectAltName=%s\n' "$alternative" >"$name.ext"
    openssl x509 -req -in "$name.csr" -CA house-ca.crt -CAkey house-ca.key -CAcreateserial \
        -days 3650 -extfile "$name.ext" -out "$name.crt" 2>/dev/null
    rm "$name.csr" "$name.ext"
    echo "$folder/$name.crt and $name.key: for $name"
done
