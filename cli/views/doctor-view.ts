import type { Finding } from '../../workers/doctor.ts';
import type { Output } from '../framework/output.ts';

/** What the doctor found, with what mends it. */
export function doctorText(findings: readonly Finding[], colors: Output['colors']): string {
  const width = Math.max(...findings.map((finding) => finding.name.length));
  const marks = { ok: colors.green('ok   '), warn: colors.yellow('warn '), error: colors.red('error') };
  return findings
    .flatMap(({ name, status, message, hint }) => [
      `${marks[status]} ${name.padEnd(width)}  ${message}`,
      ...(hint === null || status === 'ok' ? [] : [`${' '.repeat(width + 8)}${hint}`]),
    ])
    .join('\n');
}
