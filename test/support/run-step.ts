// A process of its own that runs one step, for tests that kill it in the middle.
import type { Home } from '../../activities/home.ts';
import type { StepSpec } from '../../activities/sandbox/sandbox.ts';
import { sandboxOf } from './sandboxes.ts';

process.on('message', ({ backend, home, spec }: { backend: 'docker' | 'local'; home: Home; spec: StepSpec }) => {
  process.send?.('begun');
  void sandboxOf(backend, home)
    .then((sandbox) => sandbox.run(spec))
    .then(() => process.exit(0));
});
