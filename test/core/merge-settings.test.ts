import { describe, expect, test } from '@jest/globals';
import { coAuthorOf } from '../../core/co-author.ts';
import { configSchema, mergeSettings, type Config } from '../../core/config.ts';
import { identityProblem, identityText, OUR_IDENTITY, parseIdentity } from '../../core/identity.ts';

const config = (value: unknown): Config => ({ ...configSchema.parse(value), project: 'p' });

function problemsOf(merge: object, more: object = {}): string[] {
  const { error } = configSchema.safeParse({ merge, ...more });
  return (error?.issues ?? []).map(({ path, message }) => `${path.join('.')}: ${message}`);
}

describe('the settings of what lands', () => {
  test('are ours by default, also for a run that is pinned to a configuration without them', () => {
    const defaults = {
      style: 'merge',
      author: identityText(OUR_IDENTITY),
      committer: identityText(OUR_IDENTITY),
      co_author: false,
      sign: 'auto',
      drivers: [],
    };
    expect(mergeSettings(config({}))).toEqual(defaults);
    const older: Partial<Config> = config({});
    delete older.merge;
    expect(mergeSettings(older as Config)).toEqual(defaults);
  });

  test('may name anybody, or the user', () => {
    const merge = { style: 'squash', author: 'Ada Lovelace <ada@example.org>', committer: 'user', sign: 'off' };
    expect(mergeSettings(config({ merge }))).toEqual({ ...merge, co_author: false, drivers: [] });
    expect(parseIdentity(merge.author)).toEqual({ name: 'Ada Lovelace', email: 'ada@example.org' });
  });

  test.each([
    [{ author: 'Ada' }, 'merge.author: must be "Name <email>", not "Ada"'],
    [{ author: '<ada@example.org>' }, 'merge.author: must be "Name <email>", not "<ada@example.org>"'],
    [{ author: '.. <ada@example.org>' }, 'merge.author: must be "Name <email>", not ".. <ada@example.org>"'],
    [{ committer: 'Ada <a@b>\nx' }, 'merge.committer: must be "Name <email>", not "Ada <a@b>\\nx"'],
    [{ committer: 'A\u0000da <a@b>' }, 'merge.committer: must be "Name <email>", not "A\\u0000da <a@b>"'],
    [{ author: `${'a'.repeat(200)} <a@b>` }, 'merge.author: has 206 characters; at most 200 are allowed'],
    [{ co_author: 'the agent' }, 'merge.co_author: must be "Name <email>", not "the agent"'],
    [{ co_author: 1 }, 'merge.co_author: must be true, false or "Name <email>"'],
    [{ style: 'rebase' }, 'merge.style: Invalid option: expected one of "merge"|"squash"'],
  ])('refuse %j', (merge, problem) => {
    expect(problemsOf(merge)).toEqual([problem]);
  });

  test('name Codex as co-author only where Codex works', () => {
    expect(problemsOf({ co_author: true }, { agent: { provider: 'command', command: 'x' } })).toEqual([
      'merge.co_author: true names Codex, and agent.provider is command: write "Name <email>"',
    ]);
    const codex = config({ merge: { co_author: true } });
    expect(coAuthorOf(codex, { agent: {} })).toBe('Codex <noreply@openai.com>');
    expect(coAuthorOf(codex, { agent: { provider: 'command', command: 'x' } })).toBeNull();
    const named = config({ merge: { co_author: 'Bot <bot@example.org>' } });
    expect(coAuthorOf(named, { agent: { provider: 'mock' } })).toBe('Bot <bot@example.org>');
    expect(coAuthorOf(config({}), { agent: {} })).toBeNull();
  });

  test('take every name that git takes', () => {
    for (const text of ['Ada <a@b>', '李 <li@example.org>', 'O’Neill, J. (x) <j+x@example.org>', '3 <x>'])
      expect(identityProblem(text)).toBeNull();
  });
});
