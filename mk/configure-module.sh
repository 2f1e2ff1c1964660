#!/bin/bash
# Configures a copy of nginx's sources for the module:
# configure-module.sh COPY PROJECT CC CFLAGS LDFLAGS
#
# With the flags of the distribution's nginx, if it has them beside its sources
# (conf_flags); those of the nginx that was built in it, if one was; else with
# all that the tests use.

set -e
copy=$1 project=$2 cc=$3 cflags=$4 ldflags=$5

cd "$copy"
configure=./configure
[ -x $configure ] || configure=./auto/configure

NGX_CONF_FLAGS=(
    --with-compat
    --with-debug
    --with-threads
    --with-http_addition_module
    --with-http_auth_request_module
    --with-http_dav_module
    --with-http_flv_module
    --with-http_gunzip_module
    --with-http_gzip_static_module
    --with-http_mp4_module
    --with-http_random_index_module
    --with-http_realip_module
    --with-http_secure_link_module
    --with-http_slice_module
    --with-http_ssl_module
    --with-http_stub_status_module
    --with-http_sub_module
    --with-http_v2_module
)

if [ -f conf_flags ]; then
    . ./conf_flags
    # Debian keeps what modules write here, as it does nginx's own
    export OFFLOAD_STATE_PATH=${OFFLOAD_STATE_PATH:-/var/lib/nginx/offload}

elif [ -f objs/ngx_auto_config.h ]; then
    # a C string of words in shell's quotes
    args=$(sed -n 's/^#define NGX_CONFIGURE "\(.*\)"$/\1/p' \
        objs/ngx_auto_config.h | sed 's/\\\(["\\]\)/\1/g')
    eval "words=($args)"
    NGX_CONF_FLAGS=()
    for word in "${words[@]}"; do
        case $word in
        --with-cc=*) ;;
        --with-cc-opt=*) cflags="${word#*=} $cflags" ;;
        --with-ld-opt=*) ldflags="${word#*=} $ldflags" ;;
        *) NGX_CONF_FLAGS+=("$word") ;;
        esac
    done
fi

exec $configure "${NGX_CONF_FLAGS[@]}" --with-cc="$cc" \
    --with-cc-opt="-g -fPIC -fstack-protector-strong $cflags" \
    --with-ld-opt="-Wl,-z,relro -Wl,-z,now $ldflags" \
    --add-dynamic-module="$project" > configure.log
