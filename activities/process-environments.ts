import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';

/** The environment of a process as Linux shows it (entries end in NUL), empty for one that is gone or somebody else's. */
export function environmentOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/environ`, 'latin1');
  } catch {
    return '';
  }
}

/** Every process that carries `NAME=value`, exactly, in its environment, whatever session it went to. */
export function processesCarrying(entry: string): number[] {
  if (process.platform !== 'linux') return listedCarrying(entry);
  const whole = `${entry}\0`;
  return readdirSync('/proc')
    .filter((directory) => /^\d+$/.test(directory))
    .map(Number)
    .filter((pid) => {
      const environment = environmentOf(pid);
      return environment.startsWith(whole) || environment.includes(`\0${whole}`);
    });
}

function listedCarrying(entry: string): number[] {
  const env = { PATH: process.env['PATH'], LC_ALL: 'C' };
  let lines: string[];
  try {
    lines = execFileSync('ps', ['-axEww', '-o', 'pid=,command='], { encoding: 'utf8', env, stdio: 'pipe' }).split('\n');
  } catch {
    return [];
  }
  return lines
    .filter((line) => line.split(' ').includes(entry))
    .map((line) => Number.parseInt(line.trim(), 10))
    .filter((pid) => pid !== process.pid);
}
