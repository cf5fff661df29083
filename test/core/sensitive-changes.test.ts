import { describe, expect, test } from '@jest/globals';
import { sensitiveChanges } from '../../core/sensitive-changes.ts';

function found(
  changed: string[],
  commands: string[] = [],
  more: { tasksPath?: string; ignoreCase?: boolean } = {},
): string[] {
  return sensitiveChanges(changed, { commands, tasksPath: '.signalbox/tasks', ignoreCase: false, ...more });
}

const CONFIGURATION = 'changes the configuration of Signalbox';
const CHECKS = 'changes what the checks run';
const CI = 'changes CI';
const GIT = 'changes what git does in checkouts';

describe('what a person should know of what a task changed', () => {
  test.each([
    ['.signalbox/config.yaml', CONFIGURATION],
    ['.signalbox/tasks/003-next.md', CONFIGURATION],
    ['packages/api/.signalbox/prompts/turn.liquid', CONFIGURATION],
    ['.github/workflows/ci.yml', CI],
    ['.github/actions/setup/action.yml', CI],
    ['.gitlab-ci.yml', CI],
    ['.circleci/config.yml', CI],
    ['Jenkinsfile', CI],
    ['deploy/Jenkinsfile.nightly', CI],
    ['azure-pipelines.release.yml', CI],
    ['.ci/run', CI],
    ['.buildkite/pipeline.yml', CI],
    ['.gitattributes', GIT],
    ['vendor/.gitmodules', GIT],
    ['.lfsconfig', GIT],
    ['.husky/pre-commit', GIT],
  ])('%s: it %s', (path, what) => {
    expect(found(['src/a.ts', path])).toEqual([`${what}: ${path}`]);
  });

  test.each([
    ['npm run check', 'package.json'],
    ['cd web && npm test -- --ci', 'web/package.json'],
    ['npx jest', 'jest.config.js'],
    ['node_modules/.bin/eslint .', 'eslint.config.js'],
    ['CI=1 pnpm run lint', '.npmrc'],
    ['sh scripts/check.sh', 'scripts/check.sh'],
    ['./scripts/check.sh --fast', 'scripts/check.sh'],
    ['cd tools; ./check.sh', 'tools/check.sh'],
    ['bash -c "set -e; . \'ci env.sh\'; tools/all"', 'tools/all'],
    ['mocha --config=test/mocha.json', 'test/mocha.json'],
    ['verify', 'verify'],
    ['make -C lib check', 'lib/Makefile'],
    ['python3 -m pytest -q', 'tests/conftest.py'],
    ['cargo test', 'crates/a/build.rs'],
    ['./gradlew check', 'app/build.gradle.kts'],
    ['mvn -q verify', '.mvn/extensions.xml'],
  ])('the check %j: a change of %s', (command, path) => {
    expect(found(['src/a.ts', path], [command])).toEqual([`${CHECKS}: ${path}`]);
  });

  test('is nothing for other files, and for those of programs that no check runs', () => {
    const other = [
      'src/a.ts',
      'docs/.github.md',
      'package.json',
      'Makefile',
      'src/workflows/a.ts',
      'test/login.test.ts',
    ];
    expect(found(other, ['sh scripts/check.sh test', 'cargo test'])).toEqual([]);
  });

  test('follows where the task files lie, and how the file system compares names', () => {
    expect(found(['plan/tasks/001.md'], [], { tasksPath: './plan/tasks/' })).toEqual([
      `${CONFIGURATION}: plan/tasks/001.md`,
    ]);
    expect(found(['Scripts/Check.sh', '.GitHub/workflows/x.yml'], ['sh scripts/check.sh'])).toEqual([]);
    expect(
      found(['Scripts/Check.sh', '.GitHub/workflows/x.yml'], ['sh scripts/check.sh'], { ignoreCase: true }),
    ).toEqual([`${CHECKS}: Scripts/Check.sh`, `${CI}: .GitHub/workflows/x.yml`]);
  });

  test('is short, whatever was changed, and holds nothing that a terminal would act on', () => {
    const many = Array.from({ length: 400 }, (_, at) => `.ci/${at}-${'x'.repeat(300)}`);
    const [sentence = ''] = found(many);
    expect(sentence).toMatch(/ and 395 more$/);
    expect(sentence.length).toBeLessThan(700);
    expect(found(['.ci/\u001b[2Ja\nb'])).toEqual([`${CI}: .ci/?[2Ja?b`]);
  });
});
