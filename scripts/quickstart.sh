#!/bin/sh
# npm run quickstart: sets up what is missing, then runs the example. See scripts/quickstart.ts.
set -eu
cd "$(dirname "$0")/.."
. scripts/setup.sh
exec node scripts/quickstart.ts "$@"
