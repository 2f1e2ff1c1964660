#!/bin/sh
# Installs the Debian packages that are missing: mk/deps.sh SET...
#
# Sets: build, run, test, bench, source, fuzz, check.  Says what it does; says
# nothing and takes no time when all is there.  Packages that bring a service
# (nginx, redis-server, opentracker) leave none running and none enabled that
# was not so before.

set -eu

packages() {
    case $1 in
    build)
        echo gcc libc6-dev make pkg-config libjansson-dev libuv1-dev \
            libmicrohttpd-dev libgnutls28-dev libhiredis-dev \
            libcurl4-openssl-dev libssl-dev libmaxminddb-dev nginx-dev
        ;;
    run)
        echo nginx redis-server openssl ca-certificates curl perl
        ;;
    test)
        echo perl openssl curl python3 python3-jwcrypto strace gdb wrk procps \
            iproute2 util-linux man-db libnginx-mod-http-brotli-filter \
            libnginx-mod-http-geoip2 libnginx-mod-http-js \
            libnginx-mod-http-lua \
            libnginx-mod-http-image-filter libnginx-mod-http-xslt-filter \
            aria2 wget wget2 transmission-cli qbittorrent-nox rtorrent chromium
        node_packages
        ;;
    bench)
        echo wrk valgrind util-linux opentracker
        node_packages
        ;;
    source)
        echo dpkg-dev
        ;;
    fuzz)
        echo clang libclang-rt-14-dev
        ;;
    check)
        echo clang clang-format cppcheck git
        ;;
    *)
        echo "mk/deps.sh: no set of packages is called $1" >&2
        exit 2
        ;;
    esac
}

# Where Node.js comes from elsewhere, Debian's npm would take its place.
node_packages() {
    command -v node >/dev/null || echo nodejs
    command -v npm >/dev/null || echo npm
}

services="nginx redis-server opentracker"
policy=/usr/sbin/policy-rc.d

wanted=
for set in "$@"; do
    wanted="$wanted $(packages "$set")"
done

present=" $(dpkg-query -W -f='${binary:Package}=${db:Status-Status}\n' \
    $wanted 2>/dev/null | sed -n 's/:[^=]*=/=/; s/=installed$//p' |
    tr '\n' ' ') "
missing=
for package in $wanted; do
    case "$present$missing " in
    *" $package "*) ;;
    *) missing="$missing $package" ;;
    esac
done
[ -n "$missing" ] || exit 0

if [ "$(id -u)" = 0 ]; then
    root=
elif command -v sudo >/dev/null; then
    root=sudo
else
    echo "These packages are missing, and installing them takes root:" >&2
    echo "    apt-get install --no-install-recommends$missing" >&2
    exit 1
fi

echo "Installing Debian packages:$missing"

# By systemd or by an init script; deb-systemd-helper and update-rc.d work
# without either running.
enabled() {
    [ -e "/etc/systemd/system/multi-user.target.wants/$1.service" ] ||
        [ -n "$(find /etc/rc[2-5].d -name "S??$1" 2>/dev/null)" ]
}

disable() {
    $root deb-systemd-helper disable "$1.service" >/dev/null 2>&1
    $root update-rc.d "$1" disable >/dev/null 2>&1
}

active() {
    [ -d /run/systemd/system ] && systemctl --quiet is-active "$1"
}

# Only the services that were neither enabled nor running are ours to quieten.
quieten_enabled=
quieten_active=
for service in $services; do
    enabled $service || quieten_enabled="$quieten_enabled $service"
    active $service || quieten_active="$quieten_active $service"
done

made_policy=
finish() {
    status=$?
    trap - EXIT
    set +e
    [ -z "$made_policy" ] || $root rm -f $policy
    for service in $quieten_active; do
        ! active $service || $root systemctl --quiet stop $service
    done
    for service in $quieten_enabled; do
        ! enabled $service || disable $service
    done
    exit $status
}
trap finish EXIT
trap 'exit 130' INT TERM HUP

# While it stands, a package's own script starts no service.
if [ ! -e $policy ]; then
    printf '#!/bin/sh\nexit 101\n' | $root tee $policy >/dev/null
    made_policy=yes
    $root chmod 755 $policy
fi

install_missing() {
    $root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq \
        --no-install-recommends -o Dpkg::Use-Pty=0 "$@" $missing
}

# The lists of packages may be absent or name versions that are gone.
if ! install_missing --simulate >/dev/null 2>&1 ||
    ! install_missing >/dev/null 2>&1; then
    echo "Updating the lists of packages"
    $root apt-get update -qq
    install_missing >/dev/null
fi
