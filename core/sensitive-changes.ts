import { shownPath } from './change-summary.ts';
import { matchesGlob, type GlobOptions } from './globs.ts';

/** Most paths that a finding names. */
const MOST_NAMED = 5;

const CONFIGURATION = ['**/.signalbox/**'];

const CI = [
  ...['.github/workflows', '.github/actions', '.gitea/workflows', '.forgejo/workflows', '.gitlab-ci.yml', '.gitlab/ci'],
  ...['.circleci', '.ci', '.travis.yml', '.cirrus.yml', '.drone.yml', '**/Jenkinsfile*', 'azure-pipelines*.yml'],
  ...['.azure-pipelines', 'bitbucket-pipelines.yml', '.buildkite', '.woodpecker.yml', '.woodpecker', '.semaphore'],
  ...['.teamcity', 'appveyor.yml', '.appveyor.yml', 'cloudbuild.yaml', 'cloudbuild.yml'],
];

const GIT = [
  ...['**/.gitattributes', '**/.gitmodules', '**/.lfsconfig', '**/.gitconfig'],
  ...['**/.husky/**', '**/.githooks/**', '**/.pre-commit-config.yaml', '**/lefthook.y*ml'],
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
  [/^mvnw?$/, ['pom.xml', 'mvnw', '.mvn/**']],
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
  const options: GlobOptions = { ignoreCase: rules.ignoreCase, cache: new Map() };
  const matched = (globs: readonly string[]) => (path: string) =>
    globs.some((glob) => matchesGlob(glob, path, options));
  const isTask = (path: string): boolean => path.startsWith(`${plainPath(rules.tasksPath)}/`);
  const isConfiguration = matched(CONFIGURATION);
  const runs = checkFiles(rules, options);
  return [
    finding('changes the configuration of Signalbox', changed, (path) => isConfiguration(path) || isTask(path)),
    finding('changes what the checks run', changed, runs),
    finding('changes CI', changed, matched(CI)),
    finding('changes what git does in checkouts', changed, matched(GIT)),
  ].filter((sentence) => sentence !== null);
}

function finding(what: string, changed: readonly string[], concerns: (path: string) => boolean): string | null {
  const paths = changed.filter(concerns);
  if (paths.length === 0) return null;
  const more = paths.length > MOST_NAMED ? ` and ${paths.length - MOST_NAMED} more` : '';
  return `${what}: ${paths.slice(0, MOST_NAMED).map(shownPath).join(', ')}${more}`;
}

/** Tells whether one of the commands runs a file, or is told by it what to do. */
function checkFiles({ commands, ignoreCase }: CheckRules, options: GlobOptions): (path: string) => boolean {
  const fold = (path: string): string => (ignoreCase ? path.toLowerCase() : path);
  // A command may have gone to another directory before; a word with neither dot nor slash may be anything.
  const isNamed = (path: string): boolean =>
    path.split('/').some((_, at, names) => {
      const tail = names.slice(at).join('/');
      return named.has(tail) && (at === 0 || /[./]/.test(tail));
    });
  const words = new Set(commands.flatMap(wordsOf));
  const named = new Set([...words].map((word) => fold(plainPath(word))));
  const globs = PROGRAMS.flatMap(([names, files]) => {
    const used = [...words].some((word) => names.test(word.slice(word.lastIndexOf('/') + 1)));
    return used ? files.map((file) => `**/${file}`) : [];
  });
  return (path) => isNamed(fold(path)) || globs.some((glob) => matchesGlob(glob, path, options));
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
