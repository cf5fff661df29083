import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { requestBody, requestTitle, type RequestReport } from '../../core/request-body.ts';

const report: RequestReport = {
  ...{ project: 'shop', run: 'r1', task: '003', name: 'add\nlogin', description: 'Users can log in.', attempt: 2 },
  ...{ checks: ['npm test'], verified: false, changes: ' a.txt | +1 -0\n 1 file changed, +1 -0' },
};

describe('the text of a request', () => {
  test('tells task, checks and changes; its title is one line', () => {
    expect(requestTitle(report)).toBe('003: add login');
    expect(requestBody(report, null)).toBe(
      [
        '<!-- signalbox: begin; what is written between these two lines is replaced -->',
        'Users can log in.\n',
        'The integration checks are still to pass on the merged tree:\n\n```\nnpm test\n```\n',
        'What it changes:\n\n```\n a.txt | +1 -0\n 1 file changed, +1 -0\n```\n',
        'Task `003` of run `r1`, project `shop`, attempt 2; made by Signalbox.',
        '<!-- signalbox: end -->',
      ].join('\n'),
    );
  });

  test('says so when nothing proves the work', () => {
    expect(requestBody({ ...report, checks: [] }, null)).toContain('**No check is configured**');
  });

  test('comes last where a person took our section out, and stays small', () => {
    expect(requestBody(report, 'Mine.\n')).toMatch(/^Mine\.\n\n<!-- signalbox: begin/);
    expect(requestBody({ ...report, description: 'x'.repeat(200_000) }, null).length).toBeLessThan(62_000);
  });

  test('keeps all around our section, whatever task, files and people say', () => {
    const text = fc.oneof(
      fc.string(),
      fc.stringMatching(/^[`~]{1,8}$/),
      fc.constantFrom('<!-- signalbox: end -->', '<!-- signalbox: begin x -->', '```\n-->', '$&$1'),
    );
    const own = fc.string().filter((part) => !part.includes('<!--') && part.trim() !== '');
    fc.assert(
      fc.property(text, text, own, own, (description, changes, above, below) => {
        const first = requestBody({ ...report, description, changes }, null);
        const edited = `${above}\n${first}\n${below}`;
        const second = requestBody({ ...report, description, changes, attempt: 3 }, edited);
        expect(second.startsWith(`${above}\n<!-- signalbox: begin;`)).toBe(true);
        expect(second.endsWith(`<!-- signalbox: end -->\n${below}`)).toBe(true);
        expect(second.split('<!-- signalbox: ')).toHaveLength(3);
        expect(requestBody({ ...report, description, changes, attempt: 3 }, second)).toBe(second);
      }),
      { numRuns: 500 },
    );
  });
});
