import { describe, expect, test } from '@jest/globals';
import { environmentSecrets } from '../../../activities/redaction/environment-secrets.ts';
import { GITHUB_TOKEN } from '../../support/canaries.ts';

describe('secret of an environment', () => {
  test.each([
    'API_KEY',
    'ACME_TOKEN',
    'DB_PASSWORD',
    'AWS_SECRET_ACCESS_KEY',
    'client_secret',
    'SENTRY_DSN',
    'NPM_AUTH',
  ])('is what %s holds, if it looks random', (name) => {
    expect(environmentSecrets({ [name]: 'q8W2e4R6t7Y9' })).toEqual(['q8W2e4R6t7Y9']);
    for (const word of ['postgres', 'password', 'true', '/run/secrets/token', '12345678', 'aaaaaaaaaaaa1', 'short1'])
      expect([word, environmentSecrets({ [name]: word })]).toEqual([word, []]);
  });

  test.each(['PATH', 'SSH_AUTH_SOCK', 'KEYBOARD', 'MONKEY', 'TOKENIZER', 'API_KEY_FILE', 'PWD', 'OLDPWD', 'AUTH_URL'])(
    'is not what %s holds',
    (name) => {
      expect(environmentSecrets({ [name]: 'q8W2e4R6t7Y9' })).toEqual([]);
    },
  );

  test('is what has the shape of a key, whatever its name, and no more than that of the value', () => {
    expect(environmentSecrets({ ANY: `first ${GITHUB_TOKEN} second` })).toEqual([GITHUB_TOKEN]);
  });

  test('is the password of an address, as it is written and as it is', () => {
    expect(environmentSecrets({ DATABASE_URL: 'postgres://me:p%C3%A4ss-Q8w3@db/x' })).toEqual([
      'p%C3%A4ss-Q8w3',
      'päss-Q8w3',
    ]);
  });

  test('is no password that is a word, as that of everybody’s test database', () => {
    expect(environmentSecrets({ DATABASE_URL: 'postgres://postgres:postgres@localhost/test' })).toEqual([]);
  });

  test('is what is listed by name, a word, too', () => {
    expect(environmentSecrets({ MODE: 'quiet', OTHER: 'x' }, ['MODE', 'MISSING'])).toEqual(['quiet']);
  });
});
