import type { Config } from '../../core/config.ts';
import { agentNetwork, checkNetwork } from '../../core/step-network.ts';
import { humanSize } from '../../core/size.ts';
import { processMemory, type LocalProtection } from './local-protection.ts';

/** What keeps steps on this host within bounds, and what does not, a plain sentence each. */
export interface ProtectionFacts {
  holds: string[];
  lacks: string[];
  /** Do steps run in bubblewrap? */
  wrapped: boolean;
}

type Part = Pick<ProtectionFacts, 'holds' | 'lacks'>;

/** Tells what holds for steps of the local backend on this host. */
export function protectionFacts(
  protection: LocalProtection,
  config: Pick<Config, 'sandbox' | 'checks'>,
): ProtectionFacts {
  const parts = [files(protection), network(protection, config), bounds(protection)];
  return {
    holds: parts.flatMap(({ holds }) => holds),
    lacks: parts.flatMap(({ lacks }) => lacks),
    wrapped: protection.bubblewrap.problem === null,
  };
}

function files({ bubblewrap: { problem } }: LocalProtection): Part {
  if (problem === null) {
    return {
      holds: [
        'steps see this host’s files read-only, write to their work tree and a home and /tmp of their own, and see no other processes',
      ],
      lacks: ['steps can read your files, but for well-known places of keys and logins'],
    };
  }
  return {
    holds: [],
    lacks: [`steps can read and write all that you can, and end your processes (no bubblewrap: ${problem})`],
  };
}

function network(protection: LocalProtection, { sandbox, checks }: Pick<Config, 'sandbox' | 'checks'>): Part {
  const kept = {
    checks: protection.isolates(checkNetwork(sandbox)),
    agents: protection.isolates(agentNetwork(sandbox)),
    // They have it in any case, see `provide-outputs.ts`.
    'installations of dependencies': checks.bootstrap === undefined,
  };
  const open = Object.entries(kept).flatMap(([who, isKept]) => (isKept ? [] : [who]));
  const who = [open.slice(0, -1).join(', '), ...open.slice(-1)].filter((part) => part !== '').join(' and ');
  return {
    holds: [
      ...(kept.checks ? ['checks reach allowed hosts only'] : []),
      ...(kept.agents ? ['agents reach the model gateway and allowed hosts only'] : []),
    ],
    lacks: open.length === 0 ? [] : [`${who} have your network, with this host’s services`],
  };
}

function bounds({ bounds: whole, limits }: LocalProtection): Part {
  const { cpus, pids } = limits;
  const memory = humanSize(limits.memory);
  const own = process.getuid?.() === 0 ? 'are not bounded' : `are bounded together with yours (${pids} more)`;
  const told: [boolean, string, string][] = [
    [
      whole.has('memory'),
      `${memory} of memory a step`,
      `memory is bounded for each process (${humanSize(processMemory(limits))}), not for a step`,
    ],
    [whole.has('pids'), `${pids} processes a step`, `processes ${own}`],
    [whole.has('cpu'), `${cpus} processors a step`, 'processors are not bounded'],
    [true, `files of ${humanSize(limits.fileSize)}`, ''],
  ];
  return {
    holds: told.flatMap(([isSo, holds]) => (isSo ? [holds] : [])),
    lacks: told.flatMap(([isSo, , lacks]) => (isSo ? [] : [lacks])),
  };
}
