/** Shorter lines of a secret are met by chance. */
const SHORTEST_LINE = 4;

/**
 * The texts by which secrets are known in an output, the longest first, none with a line break: the values (line by
 * line), and how JSON, URLs, hexadecimal digits and base64 write them, the latter in pieces, since many programs break it
 * into lines.
 */
export function secretWritings(secrets: readonly string[]): string[] {
  const texts = new Set(secrets.flatMap((secret) => [...linesOf(secret).flatMap(writings), ...base64Pieces(secret)]));
  texts.delete('');
  return [...texts].sort((a, b) => b.length - a.length);
}

function linesOf(secret: string): string[] {
  const lines = secret.split(/[\r\n]+/);
  const long = lines.filter((line) => line.length >= SHORTEST_LINE);
  return long.length > 0 ? long : lines;
}

function writings(line: string): string[] {
  const url = encodeURIComponent(Buffer.from(line, 'utf8').toString('utf8'));
  const strict = url.replaceAll(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`);
  const json = JSON.stringify(line).slice(1, -1);
  const all = [line, json, JSON.stringify(json).slice(1, -1), url, strict, strict.replaceAll('%20', '+')];
  const lower = all.map((text) => text.replaceAll(/%[0-9A-F]{2}/g, (escape) => escape.toLowerCase()));
  const hex = line.length < SHORTEST_LINE ? '' : Buffer.from(line, 'utf8').toString('hex');
  return [...all, ...lower, hex, hex.toUpperCase()];
}

/** What base64 makes of it, whatever stands before and after it: at each of three offsets, without what depends on that. */
function base64Pieces(secret: string): string[] {
  const bytes = Buffer.from(secret, 'utf8');
  return [0, 1, 2].flatMap((offset) => {
    const encoded = Buffer.concat([Buffer.alloc(offset), bytes])
      .toString('base64')
      .replaceAll('=', '');
    const end = (offset + bytes.length) % 3 === 0 ? encoded.length : encoded.length - 1;
    const pieces = encoded.slice(Math.ceil((offset * 8) / 6), end).match(/.{8,16}(?!.{1,7}$)|.{8,23}$/g) ?? [];
    return pieces.flatMap((piece) => [piece, piece.replaceAll('+', '-').replaceAll('/', '_')]);
  });
}
