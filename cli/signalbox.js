#!/usr/bin/env node
// The bin of the package. In a checkout it runs the TypeScript sources, in an installed package their build.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import module from 'node:module';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const here = path.dirname(fileURLToPath(import.meta.url));
const source = path.join(here, 'main.ts');
const built = path.join(here, '..', 'dist', 'cli', 'main.js');
const entry = existsSync(source) ? source : built;
const needed = entry === source ? [22, 18] : [22, 13];

function isNewEnough([major, minor]) {
  const [ownMajor = 0, ownMinor = 0] = process.versions.node.split('.').map(Number);
  return ownMajor > major || (ownMajor === major && ownMinor >= minor);
}

if (isNewEnough(needed)) {
  module.enableCompileCache?.();
  const { main } = await import(pathToFileURL(entry).href);
  await main();
} else {
  const own = path.join(here, '..', 'node_modules', 'node', 'bin', 'node');
  if (existsSync(own) && process.env.SIGNALBOX_REEXECUTED === undefined) {
    const child = spawn(own, [fileURLToPath(import.meta.url), ...process.argv.slice(2)], {
      stdio: 'inherit',
      env: { ...process.env, SIGNALBOX_REEXECUTED: '1' },
    });
    // Ctrl+C reaches the child by itself, and the child decides what it means; this process only waits.
    process.on('SIGINT', () => undefined);
    process.on('SIGTERM', () => child.kill('SIGTERM'));
    child.on('exit', (code, signal) => {
      process.exitCode = code ?? (signal === 'SIGINT' ? 130 : 1);
    });
  } else {
    console.error(`error: signalbox needs Node ${needed.join('.')} or later, and this is ${process.version}.`);
    process.exitCode = 3;
  }
}
