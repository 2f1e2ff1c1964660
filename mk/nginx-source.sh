#!/bin/sh
# Puts the source package of the installed nginx-dev, unpacked and patched, at
# FOLDER: mk/nginx-source.sh FOLDER.  Says nothing and takes no time when that
# version is there.
#
# The machine's list of sources need not name source packages and is not
# touched: apt reads a copy of it that does, and keeps its lists beside it.

set -eu

target=$(realpath -m "$1")
version=$(dpkg-query -W -f='${Version}' nginx-dev)

if [ "$(cat "$target.version" 2>/dev/null)" = "$version" ]; then
    exit 0
fi

rm -rf "$target" "$target.version" "$target.apt"
mkdir -p "$target.apt/parts" "$target.apt/lists/partial"
cd "$target.apt"

touch sources.list
for file in /etc/apt/sources.list /etc/apt/sources.list.d/*.list; do
    [ ! -f "$file" ] || sed -n 's/^deb[[:space:]]/deb-src /p' "$file"
done > parts/src.list
for file in /etc/apt/sources.list.d/*.sources; do
    [ ! -f "$file" ] || sed 's/^Types:.*/Types: deb-src/' "$file" \
        > "parts/${file##*/}"
done

cat > apt.conf <<CONF
Dir::Etc::sourcelist "$PWD/sources.list";
Dir::Etc::sourceparts "$PWD/parts";
Dir::State::lists "$PWD/lists";
Dir::Cache::pkgcache "";
Dir::Cache::srcpkgcache "";
APT::Sandbox::User "root";
CONF
export APT_CONFIG="$PWD/apt.conf"

# A version that was replaced may be gone already: another one with the same
# upstream will do.
echo "Fetching the source package of nginx $version"
apt-get update > log 2>&1 || { cat log >&2; exit 1; }
for candidate in "$version" $(apt-cache showsrc nginx |
    sed -n "s/^Version: \(${version%-*}-.*\)/\1/p" | sort -rVu); do
    if apt-get source "nginx=$candidate" >> log 2>&1; then
        mv nginx-*/ "$target"
        cd ..
        rm -rf "$target.apt"
        echo "$version" > "$target.version"
        exit 0
    fi
done
cat log >&2
exit 1
