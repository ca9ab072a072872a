#!/bin/sh
# Starts Redis with the users of users.acl. The password of the user wsp is REDIS_PASSWORD; Redis gets its hash. Arguments are settings of redis-server.
set -eu
: "${REDIS_PASSWORD:?is not set}"
users=$(mktemp)
hash=$(printf %s "$REDIS_PASSWORD" | sha256sum | cut -d ' ' -f 1)
sed "s/#REDIS_PASSWORD/#$hash/" "$(dirname "$0")/users.acl" > "$users"
unset REDIS_PASSWORD
exec redis-server --aclfile "$users" "$@"
