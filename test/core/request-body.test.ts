import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { requestBody, requestTitle, type RequestReport } from '../../core/request-body.ts';

const report: RequestReport = {
  ...{ project: 'shop', run: 'r1', task: '003', name: 'add\nlogin', description: 'Users can log in.', attempt: 2 },
  ...{ checks: ['npm test'], verified: false, changes: ' a.txt | +1 -0\n 1 file changed, +1 -0' },
  ...{ findings: [], loosened: [] },
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

  test('begins with what the checks cannot tell and what the sandbox lets through, which no description hides', () => {
    const findings = ['changes CI: .ci/<!-- signalbox: end -->, .ci/```', 'changes what the checks run: package.json'];
    const loosened = ['env TOKEN,\n```\nKEY: steps can read these variables'];
    const section = requestBody(
      { ...report, findings, loosened, description: `<details>${'x'.repeat(200_000)}` },
      null,
    );
    expect(section.slice(section.indexOf('\n') + 1)).toContain(
      [
        '**To be looked at**, since the checks cannot tell. This work:\n\n````',
        'changes CI: .ci/<! -- signalbox: end -->, .ci/```\nchanges what the checks run: package.json\n````\n',
        '**The sandbox** that agents and checks ran in is looser than the default one:\n\n````',
        'env TOKEN, ``` KEY: steps can read these variables\n````\n\n<details>xxx',
      ].join('\n'),
    );
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
      fc.property(text, text, text, own, own, (description, changes, told, above, below) => {
        const facts = { ...report, description, changes, findings: [told], loosened: [told] };
        const first = requestBody(facts, null);
        const edited = `${above}\n${first}\n${below}`;
        const second = requestBody({ ...facts, attempt: 3 }, edited);
        expect(second.startsWith(`${above}\n<!-- signalbox: begin;`)).toBe(true);
        expect(second.endsWith(`<!-- signalbox: end -->\n${below}`)).toBe(true);
        expect(second.split('<!-- signalbox: ')).toHaveLength(3);
        expect(requestBody({ ...facts, attempt: 3 }, second)).toBe(second);
      }),
      { numRuns: 500 },
    );
  });
});
