import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';

/**
 * Writes docker/secret-rules.tsv from gitleaks' own configuration:
 *
 *   node scripts/update-secret-rules.ts GITLEAKS_TOML LICENSE VERSION
 *
 * Taken are the rules that know a secret by its own shape. Those that guess from words near it are left out: they would
 * hide digests and ids.
 */
const CONTEXTUAL = '(?:=|>|:{1,3}=';
/** Left out by name: they take in whole commands or documents, or what is an identifier and no secret. */
const LEFT_OUT = [
  'curl-auth-header',
  'curl-auth-user',
  'kubernetes-secret-yaml',
  'facebook-access-token',
  'twilio-api-key',
];
/** Ours are in place of these, one of which takes any 40 hexadecimal digits, as git ids are. */
const REPLACED = ['private-key', 'sourcegraph-access-token'];

/** Keywords that every text has, made sharper. */
const SHARPER: Readonly<Record<string, string>> = { ey: 'eyj', 's.': '' };

interface Rule {
  id: string;
  /** Shannon entropy, in bits a character, that the secret must exceed. */
  entropy: string;
  keywords: readonly string[];
  regex: string;
}

const OWN: readonly Rule[] = [
  {
    id: 'private-key',
    entropy: '0',
    keywords: ['private key'],
    regex: String.raw`-----BEGIN[ A-Z0-9_-]{0,100}PRIVATE KEY(?: BLOCK)?-----(?:[\s\S]{0,20000}?-----END[ A-Z0-9_-]{0,100}KEY(?: BLOCK)?-----|[A-Za-z0-9+/=\s\\]{0,20000})`,
  },
  {
    // See activities/models/gateway-secret.ts.
    id: 'signalbox-step-token',
    entropy: '0',
    keywords: ['sbx1.'],
    regex: String.raw`\bsbx1\.[A-Za-z0-9_-]{1,400}\.[A-Za-z0-9_-]{20,100}`,
  },
  {
    id: 'sourcegraph-access-token',
    entropy: '3',
    keywords: ['sgp_'],
    regex: String.raw`\b(sgp_(?:(?:[a-fA-F0-9]{16}|local)_)?[a-fA-F0-9]{40})\b`,
  },
  {
    // Models' keys of this kind, which have a rule of their own for some of their makers only.
    id: 'sk-api-key',
    entropy: '3.5',
    keywords: ['sk-'],
    regex: String.raw`\b(sk-(?:[a-z0-9]{2,10}-){0,3}[A-Za-z0-9_-]{24,200})(?![A-Za-z0-9_-])`,
  },
  {
    // Words, such as the password of everybody's test database, are none.
    id: 'url-password',
    entropy: '2.8',
    keywords: ['://'],
    regex: String.raw`[A-Za-z][A-Za-z0-9+.-]{1,20}://[^\s/:@'"\\]{0,100}:([^\s/:@'"\\*$<{][^\s/:@'"\\*]{2,200})@[A-Za-z0-9\[]`,
  },
  {
    id: 'authorization-header',
    entropy: '2.5',
    keywords: ['authorization'],
    regex: String.raw`[Aa]uthorization['"\\]{0,4}\s{0,5}[:=]\s{0,5}['"\\]{0,4}(?:[Bb]earer|[Bb]asic|[Tt]oken)\s{1,5}([A-Za-z0-9+/_.~=-]{12,2000})`,
  },
];

function rulesOf(toml: string): Rule[] {
  const sections = toml.split(/^\[\[rules\]\]$/m).slice(1);
  return sections.flatMap((section) => {
    // Sub-tables (allow lists) come last.
    const [body = ''] = section.split(/^\s*\[\[rules\./m);
    const id = /^id = "(.+)"$/m.exec(body)?.[1] ?? '';
    const regex = /^regex = '''(.+)'''$/m.exec(body)?.[1];
    const keywords = [...(/^keywords = \[([^\]]*)\]/m.exec(body)?.[1] ?? '').matchAll(/"([^"]+)"/g)];
    const words = keywords.map(([, word = '']) => SHARPER[word] ?? word.toLowerCase()).filter((word) => word !== '');
    const skipped = regex === undefined || regex.includes(CONTEXTUAL) || /^path = /m.test(body);
    if (skipped || words.length === 0 || [...LEFT_OUT, ...REPLACED].includes(id)) return [];
    const entropy = /^entropy = (.+)$/m.exec(body)?.[1] ?? '0';
    return [{ id, entropy, keywords: words, regex: oneGroup(portable(regex)) }];
  });
}

/** Go's dialect in one that JavaScript and Perl read alike: letters whose case does not matter are written as classes. */
function portable(regex: string): string {
  const ignoring = [false];
  let out = '';
  for (let at = 0; at < regex.length;) {
    const rest = regex.slice(at);
    const flags = /^\(\?(-?)([is])(:|\))/.exec(rest);
    const atom =
      flags?.[0] ??
      /^(?:\(\?P<\w+>|\(\?:|\[\^?\]?(?:\[:\w+:\]|\\.|[^\]\\])*\]|\\x[0-9a-f]{2}|\\.|[\s\S])/i.exec(rest)?.[0] ??
      '';
    at += atom.length;
    const folds = ignoring.at(-1) ?? false;
    if (flags !== null && flags[2] === 's') {
      if (flags[3] !== ':' || !rest.startsWith('(?s:.)')) throw new Error(`cannot translate ${regex}`);
      out += String.raw`(?:[\s\S])`;
      at += '.)'.length;
    } else if (flags !== null) {
      if (flags[3] === ':') {
        ignoring.push(flags[1] === '');
        out += '(?:';
      } else ignoring[ignoring.length - 1] = flags[1] === '';
    } else if (atom.startsWith('(')) {
      ignoring.push(folds);
      out += atom.startsWith('(?') ? '(?:' : '(';
    } else if (atom === ')') {
      ignoring.pop();
      out += ')';
    } else if (atom === String.raw`\z`) out += String.raw`(?![\s\S])`;
    else if (atom.startsWith('[')) out += folds ? foldedClass(plainClass(atom)) : plainClass(atom);
    else if (/^\{\d+(?:,\d*)?\}/.test(rest)) {
      const [bound = ''] = /^\{[^}]*\}/.exec(rest) ?? [];
      out += bound;
      at += bound.length - 1;
    } else out += folds && /^[a-z]$/i.test(atom) ? `[${atom.toUpperCase()}${atom.toLowerCase()}]` : atom;
  }
  new RegExp(out);
  return out;
}

function plainClass(atom: string): string {
  return atom.replaceAll('[:alnum:]', 'A-Za-z0-9');
}

function foldedClass(atom: string): string {
  return atom.replaceAll(
    /\\.|([A-Za-z])-([A-Za-z])|([A-Za-z])/g,
    (part: string, from?: string, to?: string, one?: string) => {
      if (one !== undefined) return one.toLowerCase() + one.toUpperCase();
      if (from === undefined || to === undefined) return part;
      return `${from.toLowerCase()}-${to.toLowerCase()}${from.toUpperCase()}-${to.toUpperCase()}`;
    },
  );
}

/** The one group of a pattern is what is secret in it; of several none is. */
function oneGroup(regex: string): string {
  const group = /(?<!\\)\((?!\?)/g;
  return (regex.match(group) ?? []).length > 1 ? regex.replaceAll(group, '(?:') : regex;
}

const [source = '', license = '', version = ''] = process.argv.slice(2);
const rules = [...rulesOf(readFileSync(source, 'utf8')), ...OWN].sort((a, b) => (a.id < b.id ? -1 : 1));
const comment = [
  `The shapes of well-known secrets, from gitleaks ${version} (github.com/gitleaks/gitleaks, config/gitleaks.toml) and ours.`,
  'Made by scripts/update-secret-rules.ts; not to be edited. Read by activities/redaction and docker/redact.pl.',
  'Fields: id, entropy in bits a character, keywords (one of which is in the text, in any case), pattern.',
  '',
  ...readFileSync(license, 'utf8').trim().split('\n'),
];
const lines = [
  ...comment.map((text) => `# ${text}`.trimEnd()),
  ...rules.map(({ id, entropy, keywords, regex }) => [id, entropy, keywords.join(','), regex].join('\t')),
];
writeFileSync(path.join(import.meta.dirname, '..', 'docker', 'secret-rules.tsv'), `${lines.join('\n')}\n`);
