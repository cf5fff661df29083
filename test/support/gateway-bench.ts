import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { homeOf, type Home } from '../../activities/home.ts';
import { BudgetGuard } from '../../activities/models/budget-guard.ts';
import { egressOf, recordDecision } from '../../activities/models/egress-grant.ts';
import { createEgressProxy, type EgressProxyDeps } from '../../activities/models/egress-proxy.ts';
import { gatewayLayout } from '../../activities/models/gateway-layout.ts';
import { GatewayLedger } from '../../activities/models/gateway-ledger.ts';
import { gatewaySecret, stepToken } from '../../activities/models/gateway-secret.ts';
import { createGatewayServer } from '../../activities/models/gateway-server.ts';
import { keyedUpstream, type Upstream } from '../../activities/models/upstream.ts';

/** The step that asks. */
export const STEP = 'demo..r1..001..1..turn-1';

/** What the upstream answers. */
export type Answer = (incoming: IncomingMessage, response: ServerResponse) => void;

/** A gateway in this process, with a home of its own. */
export interface GatewayBench {
  home: Home;
  ledger: GatewayLedger;
  /** All that the gateway told its log. */
  logged: string[];
  /** Starts a server on a free port of loopback. @returns its address */
  listen(server: Server): Promise<string>;
  /** Starts a gateway before an upstream that answers so. @returns the gateway's address */
  gatewayTo: (answer: Answer) => Promise<string>;
  /** Starts a gateway before an upstream at an address, or before this one. */
  gatewayFor(upstream: string | Upstream, egress?: Partial<EgressProxyDeps>): Promise<string>;
  /** Asks as {@link STEP}. */
  ask: (url: string, headers?: Record<string, string>, init?: RequestInit) => Promise<Response>;
  close(): void;
}

/** Makes a bench for one test. */
export function createGatewayBench(): GatewayBench {
  const home = homeOf({ SIGNALBOX_HOME: mkdtempSync(path.join(tmpdir(), 'signalbox-gateway-')) });
  const servers: Server[] = [];
  const ledger = new GatewayLedger(gatewayLayout(home).usage, 'gateway-1');
  const logged: string[] = [];
  const listen = async (server: Server): Promise<string> => {
    servers.push(server);
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  };
  const gatewayFor: GatewayBench['gatewayFor'] = async (upstream, egress = {}) => {
    const write = (facts: object, message: string): number => logged.push(JSON.stringify({ ...facts, message }));
    const secret = gatewaySecret(home);
    const base = typeof upstream === 'string' ? upstream : 'http://127.0.0.1:1';
    const openai = keyedUpstream('openai', { url: `${base}/v1`, apiKey: 'sk-canary' });
    const gateway = createGatewayServer({
      upstreams: {
        openai: typeof upstream === 'string' ? openai : upstream,
        anthropic: keyedUpstream('anthropic', { url: `${base}/anthropic/v1`, apiKey: 'sk-ant-canary' }),
      },
      secret,
      ledger,
      guard: new BudgetGuard(home, ledger),
      egress: createEgressProxy({
        secret,
        mayConnect: () => true,
        egressOf: (step) => egressOf(home, step),
        record: (step, decision) => recordDecision(home, step, decision),
        ...egress,
      }),
      log: { info: write, warn: write },
      status: () => ({ pid: 1 }),
    });
    return listen(gateway.listener());
  };
  return {
    home,
    ledger,
    logged,
    listen,
    gatewayFor,
    gatewayTo: async (answer) => gatewayFor(await listen(createServer(answer))),
    ask: (url, headers = {}, init = {}) =>
      fetch(url, { ...init, headers: { authorization: `Bearer ${stepToken(home, STEP)}`, ...headers } }),
    close: () => {
      for (const server of servers) {
        server.closeAllConnections();
        server.close();
      }
      rmSync(home.root, { recursive: true, force: true });
    },
  };
}
