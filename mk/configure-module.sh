#!/bin/bash
# Configures a copy of nginx's sources for the module, with the flags of the
# distribution's nginx if it has them beside its sources (conf_flags).
# configure-module.sh COPY PROJECT CC CFLAGS LDFLAGS

set -e
copy=$1 project=$2 cc=$3 cflags=$4 ldflags=$5

cd "$copy"
configure=./configure
[ -x $configure ] || configure=./auto/configure

NGX_CONF_FLAGS=(--with-compat --with-threads)
if [ -f conf_flags ]; then
    . ./conf_flags
    # Debian keeps what modules write here, as it does nginx's own
    export OFFLOAD_STATE_PATH=${OFFLOAD_STATE_PATH:-/var/lib/nginx/offload}
fi

exec $configure "${NGX_CONF_FLAGS[@]}" --with-cc="$cc" \
    --with-cc-opt="-g -fPIC -fstack-protector-strong $cflags" \
    --with-ld-opt="-Wl,-z,relro -Wl,-z,now $ldflags" \
    --add-dynamic-module="$project" > configure.log
