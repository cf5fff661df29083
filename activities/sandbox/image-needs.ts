import type { Config } from '../../core/config.ts';

/** Something that an image lacks. */
export interface ImageProblem {
  /** `error`: steps cannot work as they are configured; `warning`: they work, but worse. */
  severity: 'error' | 'warning';
  /** What is missing, and what needs it; without a full stop. */
  message: string;
  /** What to do about it. */
  hint: string;
}

/** What a probe found in an image: what is there, and what of it works for the user that steps are. */
export interface ProbedImage {
  has: ReadonlySet<string>;
  works: ReadonlySet<string>;
  /** Who that user is, `uid:gid`. */
  user: string;
}

/** One thing that steps need, and the packages that bring it. */
interface Need {
  /** Any of these will do. */
  tools: readonly string[];
  severity: ImageProblem['severity'];
  /** What for. */
  because: string;
  packages: string;
}

type Settings = Pick<Config, 'sandbox' | 'checks'>;

const NEEDS: readonly Need[] = [
  {
    tools: ['timeout'],
    severity: 'error',
    because: 'steps are ended by it ("timeout -k") when no worker lives',
    packages: 'coreutils',
  },
  ...['cat', 'head', 'rm', 'sleep'].map((tool): Need => ({
    tools: [tool],
    severity: 'error',
    because: "the entry of every step's container uses it",
    packages: 'coreutils',
  })),
  {
    tools: ['grep'],
    severity: 'error',
    because: 'what a step leaves running is found by it',
    packages: 'grep',
  },
  {
    tools: ['perl', 'awk'],
    severity: 'error',
    because: 'one of them keeps secrets out of what steps print',
    packages: 'perl',
  },
  {
    tools: ['git'],
    severity: 'error',
    because: 'agents look at their work with it',
    packages: 'git',
  },
];

const SOCAT: Need = {
  tools: ['socat'],
  severity: 'error',
  because: 'it leads steps to the model gateway and to allowed hosts',
  packages: 'socat',
};

const CERTIFICATES: Need = {
  tools: ['certificates'],
  severity: 'error',
  because: 'steps may reach hosts by https, and could trust none of them',
  packages: 'ca-certificates',
};

const COMFORTS: readonly Need[] = [
  {
    tools: ['node'],
    severity: 'warning',
    because: 'checks and agents that call it fail',
    packages: 'nodejs',
  },
  {
    tools: ['rg'],
    severity: 'warning',
    because: 'agents search with slower means',
    packages: 'ripgrep',
  },
  {
    tools: ['perl'],
    severity: 'warning',
    because: 'of secrets that steps print only known values are hidden, no shapes of keys',
    packages: 'perl',
  },
];

/** What of all that steps need an image lacks, one entry for each thing. */
export function problemsOf(probed: ProbedImage, { sandbox, checks }: Settings): ImageProblem[] {
  const reachesHosts = (sandbox.allow ?? []).length > 0 || checks.bootstrap?.network === 'registries';
  const needs = [
    ...NEEDS,
    ...(sandbox.network === 'gateway' || checks.bootstrap?.network === 'registries' ? [SOCAT] : []),
    ...(reachesHosts || sandbox.network === 'bridge' ? [CERTIFICATES] : []),
    ...COMFORTS,
  ];
  const missing = needs.filter(({ tools }) => !tools.some((tool) => probed.works.has(tool)));
  // Perl is missed once: as what must be there, or as what would be better than awk.
  const named = new Set<string>();
  return missing.flatMap((need) => {
    const [tool = ''] = need.tools;
    if (named.has(tool)) return [];
    named.add(tool);
    return [problemOf(need, probed)];
  });
}

function problemOf({ tools, severity, because, packages }: Need, { has, user }: ProbedImage): ImageProblem {
  const name = tools.join(' nor ');
  const broken = tools.find((tool) => has.has(tool));
  if (broken !== undefined) {
    return {
      severity,
      message: `${broken} is there, but does not work for user ${user} without capabilities: ${because}`,
      hint: `Make it usable for everybody (permissions, libraries), or install another one: ${installing(packages)}.`,
    };
  }
  return {
    severity,
    message: `there is no ${name}: ${because}`,
    hint: `Install it in the image: ${installing(packages)}.`,
  };
}

function installing(packages: string): string {
  return `"apt-get install -y ${packages}" on Debian, "apk add ${packages}" on Alpine`;
}
