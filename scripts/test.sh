#!/bin/sh
# npm test [-- jest's arguments]: sets up what the tests need, and runs them. The last line on stdout counts them.
set -eu
cd "$(dirname "$0")/.."
. scripts/setup.sh
# In CI nobody would notice a test that was skipped.
if [ "${CI:-}" = true ]; then export SIGNALBOX_REQUIRE_DOCKER=1; fi
node scripts/prepare-tests.ts
# From here on nothing is downloaded or built: a test that lacks something says so.
exec node --disable-warning=ExperimentalWarning --experimental-vm-modules node_modules/jest/bin/jest.js "$@"
