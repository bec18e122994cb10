#!/usr/bin/env bash
# Shows that scripts/buf-breaking.sh would notice: seeds changes into a copy of proto/, in a
# repository of its own, and looks at what the check says of each.
set -euo pipefail
cd "$(dirname "$0")/.."

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/scripts"
cp -R proto buf.yaml "$work/"
cp scripts/buf-breaking.sh "$work/scripts/"
cd "$work"

# A hook that calls this script hands its own repository down.
unset "${!GIT_@}"
git init --quiet --initial-branch=main
git add .
git -c user.name=selftest -c user.email=selftest@localhost commit --quiet --message=published

# expect <exit code> <what is seeded> <file> <sed script>
expect() {
  local code=0
  sed -i.before -e "$4" "$3"
  if cmp -s "$3" "$3.before"; then
    echo "selftest: '$2' changed nothing in $3: adapt the selftest" >&2
    exit 1
  fi
  rm "$3.before"
  # A file that no longer compiles would prove nothing.
  buf build
  scripts/buf-breaking.sh >said 2>&1 || code=$?
  if [[ $code != "$1" ]]; then
    echo "selftest: $2: should exit with $1, exited with $code:" >&2
    cat said >&2
    exit 1
  fi
  echo "selftest: $2: exits with $code, as it should"
  git checkout --quiet -- "$3"
}

broken=100
fine=0
room=proto/jumak/room/v1/room.proto
service=proto/jumak/room/v1/room_service.proto
events=proto/jumak/reservation/v1/events.proto
expect $broken "a field deleted" "$room" '/string place = 11/d'
expect $broken "a field renumbered" "$room" 's/string place = 11/string place = 111/'
expect $broken "a field renamed" "$room" 's/string place = 11/string locality = 11/'
expect $broken "an enum value deleted" "$room" '/^    BLOCKED = 4;/d'
expect $broken "an RPC renamed" "$service" 's/rpc SearchRooms(/rpc FindRooms(/'
expect $broken "an event renamed" "$events" 's/^message ReservationConfirmed/message ReservationSold/'
expect $fine "a field added" "$events" \
  's/^message ReservationConfirmed {/&\
  \/\/ New.\
  string added = 100;/'
expect $fine "a message added" "$events" \
  's/^message ReservationConfirmed {/\/\/ New.\
message Added {}\
\
&/'
