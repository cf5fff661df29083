import { existsSync } from 'node:fs';
import { clearInterval, setInterval } from 'node:timers';

import { ensureGateway, gatewayStatus, type Gateway } from './gateway-process.ts';

/** How often is looked whether the gateway answers, in milliseconds: agents repeat a cut request for half a minute. */
const LOOK_MS = 3000;

/**
 * Has the gateway that steps of this process need, and starts it again when it is gone, until it is told to stop: steps
 * find the next one at the same address.
 */
export class GatewayKeeper {
  readonly #options: Parameters<typeof ensureGateway>[0];
  #timer: NodeJS.Timeout | null = null;
  #looking = false;

  constructor(options: Parameters<typeof ensureGateway>[0]) {
    this.#options = options;
  }

  /** Starts the gateway, unless it runs, and looks after it from then on. @throws what `ensureGateway` throws */
  async gateway(): Promise<Gateway> {
    const gateway = await ensureGateway(this.#options);
    if (this.#timer === null) {
      this.#timer = setInterval(() => void this.#look(), LOOK_MS);
      this.#timer.unref();
    }
    return gateway;
  }

  /** Leaves the gateway alone. */
  stop(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
  }

  async #look(): Promise<void> {
    const { home, onProgress } = this.#options;
    // A home that is gone must not come back.
    if (this.#looking || !existsSync(home.root)) return;
    this.#looking = true;
    try {
      if ((await gatewayStatus(home)) === null) await ensureGateway(this.#options);
    } catch (error) {
      onProgress?.(`The model gateway does not come back: ${error instanceof Error ? error.message : String(error)}`);
    } finally {
      this.#looking = false;
    }
  }
}
