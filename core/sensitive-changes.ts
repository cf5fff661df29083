import { shownPath } from './change-summary.ts';

/** Most paths that a finding names. */
const MOST_NAMED = 5;

// Patterns: `**/` is any directory, `*` any part of a name; each also covers what lies below.

const CONFIGURATION = ['**/.signalbox'];

const CI = [
  ...['.github/workflows', '.github/actions', '.gitea/workflows', '.forgejo/workflows', '.gitlab-ci.yml', '.gitlab/ci'],
  ...['.circleci', '.ci', '.travis.yml', '.cirrus.yml', '.drone.yml', '**/Jenkinsfile*', 'azure-pipelines*.yml'],
  ...['.azure-pipelines', 'bitbucket-pipelines.yml', '.buildkite', '.woodpecker.yml', '.woodpecker', '.semaphore'],
  ...['.teamcity', 'appveyor.yml', '.appveyor.yml', 'cloudbuild.yaml', 'cloudbuild.yml'],
];

const GIT = [
  ...['**/.gitattributes', '**/.gitmodules', '**/.lfsconfig', '**/.gitconfig'],
  ...['**/.husky', '**/.githooks', '**/.pre-commit-config.yaml', '**/lefthook.y*ml'],
];

const NODE = [
  ...['package.json', '.npmrc', '.yarnrc.yml', '.pnpmfile.cjs', 'bunfig.toml', 'tsconfig*.json', '.mocharc*'],
  ...['eslint.config.*', '.eslintrc*', 'jest.config.*', 'vitest.config.*', 'vite.config.*', 'playwright.config.*'],
];
const PYTHON = ['pyproject.toml', 'setup.cfg', 'setup.py', 'pytest.ini', 'tox.ini', 'noxfile.py', 'conftest.py'];
const GRADLE = ['*.gradle', '*.gradle.kts', 'gradle.properties', 'gradlew', 'gradle-wrapper.properties'];

/** By the name of a program: the files, in any directory, that decide what it does. */
const PROGRAMS: readonly (readonly [names: RegExp, files: readonly string[]])[] = [
  [/^(?:npm|npx|pnpm|yarn|bun|bunx|node|tsc|eslint|jest|vitest|mocha|playwright)$/, NODE],
  [/^(?:python[\d.]*|pytest|py\.test|tox|nox|uv|poetry|hatch|pdm)$/, PYTHON],
  [/^g?make$/, ['Makefile', 'makefile', 'GNUmakefile', '*.mk']],
  [/^just$/, ['justfile', '.justfile', 'Justfile']],
  [/^task$/, ['Taskfile.y*ml']],
  [/^cargo$/, ['Cargo.toml', 'build.rs', '.cargo/config.toml']],
  [/^go$/, ['go.mod', 'go.work']],
  [/^mvnw?$/, ['pom.xml', 'mvnw', '.mvn']],
  [/^gradlew?$/, GRADLE],
  [/^(?:bundle|rake|rspec)$/, ['Gemfile', 'Rakefile', '.rspec']],
  [/^composer$/, ['composer.json']],
  [/^(?:cmake|ctest)$/, ['CMakeLists.txt', 'CMakePresets.json']],
  [/^dotnet$/, ['*.csproj', '*.fsproj', 'Directory.Build.*']],
  [/^deno$/, ['deno.json*']],
];

/** What decides how work is checked. */
export interface CheckRules {
  /** All commands that prove something, or install what they need. */
  commands: readonly string[];
  /** Where task files lie, relative to the repository's root. */
  tasksPath: string;
  ignoreCase: boolean;
}

/**
 * What a person should know of the files that a task changed, since the checks cannot tell: changes of Signalbox's own
 * configuration, of what the checks run, of CI, and of what git does in a checkout. One sentence each.
 *
 * What the checks run is: each file that a command names by its path, and for well-known programs the files that tell them
 * what to do, such as `package.json` for `npm`. It is not looked at what those files name in turn.
 *
 * @param changed paths that differ, deleted ones included
 */
export function sensitiveChanges(changed: readonly string[], rules: CheckRules): string[] {
  const { ignoreCase } = rules;
  const configuration = matcher([...CONFIGURATION, plainPath(rules.tasksPath)], ignoreCase);
  return [
    finding('changes the configuration of Signalbox', changed, configuration),
    finding('changes what the checks run', changed, checkFiles(rules)),
    finding('changes CI', changed, matcher(CI, ignoreCase)),
    finding('changes what git does in checkouts', changed, matcher(GIT, ignoreCase)),
  ].filter((sentence) => sentence !== null);
}

/** Tells whether a path matches one of the patterns: one comparison, since there may be very many paths. */
function matcher(patterns: readonly string[], ignoreCase: boolean): (path: string) => boolean {
  if (patterns.length === 0) return () => false;
  const sources = patterns.map((pattern) => {
    const [, anywhere, name = ''] = /^(\*\*\/)?(.*)$/s.exec(pattern) ?? [];
    const source = name.replaceAll(/[.+?^${}()|[\]\\]/g, '\\$&').replaceAll('*', '[^/]*');
    return anywhere === undefined ? source : `(?:.*/)?${source}`;
  });
  const all = new RegExp(`^(?:${sources.join('|')})(?:/|$)`, ignoreCase ? 'is' : 's');
  return (path) => all.test(path);
}

function finding(what: string, changed: readonly string[], concerns: (path: string) => boolean): string | null {
  const paths = changed.filter(concerns);
  if (paths.length === 0) return null;
  const more = paths.length > MOST_NAMED ? ` and ${paths.length - MOST_NAMED} more` : '';
  return `${what}: ${paths.slice(0, MOST_NAMED).map(shownPath).join(', ')}${more}`;
}

/** Tells whether one of the commands runs a file, or is told by it what to do. */
function checkFiles({ commands, ignoreCase }: CheckRules): (path: string) => boolean {
  const fold = (path: string): string => (ignoreCase ? path.toLowerCase() : path);
  // A command may have gone to another directory before; a word with neither dot nor slash may be anything.
  const isNamed = (path: string): boolean =>
    path.split('/').some((_, at, names) => {
      const tail = names.slice(at).join('/');
      return named.has(tail) && (at === 0 || /[./]/.test(tail));
    });
  const words = new Set(commands.flatMap(wordsOf));
  const named = new Set([...words].map((word) => fold(plainPath(word))));
  const patterns = PROGRAMS.flatMap(([names, files]) => {
    const used = [...words].some((word) => names.test(word.slice(word.lastIndexOf('/') + 1)));
    return used ? files.map((file) => `**/${file}`) : [];
  });
  const isRead = matcher(patterns, ignoreCase);
  return (path) => isNamed(fold(path)) || isRead(path);
}

/** The words of a shell command, without quotes; `--config=a.json` is two. */
function wordsOf(command: string): string[] {
  return command
    .replaceAll(/["'\\]/g, '')
    .split(/[\s;|&()<>=`$,]+/)
    .filter((word) => word !== '');
}

function plainPath(word: string): string {
  return word.replace(/^(?:\.\/+)+/, '').replace(/\/+$/, '');
}
