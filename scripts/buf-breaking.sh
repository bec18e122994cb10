#!/usr/bin/env bash
# Fails if proto/ breaks what a branch has published. Adding is fine; removing, renaming, renumbering
# and changing a type are not.
#
# usage: scripts/buf-breaking.sh [branch]      (default: main)
# Exit code: 0 fine, 100 something is broken, anything else: the check could not be made.
set -euo pipefail
cd "$(dirname "$0")/.."

branch=${1:-main}
if ! git rev-parse --verify --quiet HEAD >/dev/null; then
  echo "buf-breaking: no commit yet: nothing published, nothing to break"
  exit 0
fi
# A clone for one pull request often knows the branch as the remote's only.
for candidate in "$branch" "origin/$branch"; do
  if git rev-parse --verify --quiet "$candidate^{commit}" >/dev/null; then
    base=$candidate
    break
  fi
done
if [[ -z ${base:-} ]]; then
  echo "buf-breaking: there is no branch '$branch', here or at origin: fetch it, or name another" >&2
  exit 2
fi
if ! git cat-file -e "$base:proto" 2>/dev/null; then
  echo "buf-breaking: $base has no proto/ yet: nothing published, nothing to break"
  exit 0
fi

# Taken out of git rather than by buf's '.git#branch=…', which needs the history and a .git folder:
# a shallow clone and a worktree lack them.
published=$(mktemp -d)
trap 'rm -rf "$published"' EXIT
git archive "$base" proto | tar -x -C "$published"
cp buf.yaml "$published/"
buf breaking --against "$published"
echo "buf-breaking: nothing that $base has published is broken"
