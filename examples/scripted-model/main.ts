import { setInterval } from 'node:timers';
import { parseArgs } from 'node:util';
import { loadScripts } from './script.ts';
import { startScriptedModel } from './server.ts';

const USAGE = 'node main.ts SCRIPTS_FOLDER [--port N] [--delay FROM-TO] [--idle-exit SECONDS]';

const { values, positionals } = parseArgs({
  options: {
    port: { type: 'string', default: '0' },
    delay: { type: 'string', default: '200-600' },
    'idle-exit': { type: 'string', default: '0' },
  },
  allowPositionals: true,
});
const [folder] = positionals;
const [from = NaN, to = from] = values.delay.split('-').map(Number);
const port = Number(values.port);
const idleExit = Number(values['idle-exit']) * 1000;

if (folder === undefined || ![from, to, port, idleExit].every((number) => Number.isInteger(number) && number >= 0)) {
  console.error(`usage: ${USAGE}`);
  process.exit(2);
}

const model = await startScriptedModel({ scripts: loadScripts(folder), delay: { from, to }, port });
console.log(`scripted model (no real one behind it): ${model.baseUrl}`);

const stop = (): void => {
  void model.close().then(() => process.exit(0));
};
process.on('SIGINT', stop).on('SIGTERM', stop);
if (idleExit > 0) setInterval(() => model.idle() > idleExit && stop(), 1000).unref();
