/**
 * Secrets that open nothing, put together here so that the sources hold none.
 */
let state = 4711;
const part = (length: number, alphabet = 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789'): string =>
  Array.from({ length }, () => {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
    return alphabet[Math.floor(state / 65_536) % alphabet.length];
  }).join('');

export const GITHUB_TOKEN = `ghp_${part(36)}`;

/** Of well-known kinds, by which they are known without being told. */
export const SHAPES: Readonly<Record<string, string>> = {
  'a GitHub token': GITHUB_TOKEN,
  'an AWS key': `AKIA${part(16, 'QZ3XW5CE7RV2TB4YN6')}`,
  'an Anthropic key': `sk-ant-api03-${part(93)}AA`,
  'an OpenAI key': `sk-proj-${part(74)}T3BlbkFJ${part(74)}`,
  'another model’s key': `sk-${part(48)}`,
  'a GitLab token': `glpat-${part(20)}`,
  'a Slack token': `xoxb-${part(12, '1729384056')}-${part(12, '5092836471')}-${part(24)}`,
  'an npm token': `npm_${part(36)}`,
  'a web token': `eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJ${part(40)}.${part(43)}`,
};

export const PRIVATE_KEY = [
  '-----BEGIN OPENSSH PRIVATE KEY-----',
  ...Array.from({ length: 8 }, (_, index) => part(70 - index)),
  '-----END OPENSSH PRIVATE KEY-----',
  '',
].join('\n');
