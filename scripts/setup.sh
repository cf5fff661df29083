# Sourced by the other scripts, in the repository's directory: installs the packages where they are not what
# package-lock.json says, and puts the right Node first on the path. Needs any Node from 20 on, and npm.

say() { printf '%s\n' "$*" >&2; }

command -v node >/dev/null 2>&1 && command -v npm >/dev/null 2>&1 || {
  say 'error: Node.js (20 or later) and npm are needed: https://nodejs.org'
  exit 3
}

if ! node scripts/is-installed.mjs; then
  say 'Installing the packages of package-lock.json; this takes about a minute, once.'
  npm ci --no-audit --no-fund --loglevel=error >&2
fi

runs_typescript() {
  [ -x "$1" ] && [ "$("$1" -p 'process.features.typescript ?? ""' 2>/dev/null)" = strip ]
}

# The package `node` brings Node by an install script, which npm may have been told not to run.
if ! runs_typescript node_modules/.bin/node; then
  say 'Installing Node 24 for this repository.'
  (cd node_modules/node && unset npm_config_local_prefix && node installArchSpecificPackage.js >&2) || true
  mkdir -p node_modules/.bin
  ln -sf ../node/bin/node node_modules/.bin/node
fi

if runs_typescript "$PWD/node_modules/.bin/node"; then
  PATH="$PWD/node_modules/.bin:$PATH"
elif runs_typescript "$(command -v node)"; then
  rm -f node_modules/.bin/node
  PATH="$PATH:$PWD/node_modules/.bin"
else
  say "error: Node 24 could not be installed here, and $(command -v node) is $(node --version): install Node 24"
  exit 3
fi
export PATH
