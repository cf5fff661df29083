/**
 * Text from elsewhere (agents, task files, errors) as it may go to a terminal in one line: no control characters, which
 * could rewrite what is on the screen. Colours stay.
 */
export function displayText(text: string, limit = Infinity): string {
  const plain = text
    .replace(/\s+/g, ' ')
    // eslint-disable-next-line no-control-regex -- these are what it removes; ESC only where it starts no colour
    .replace(/\u001b(?!\[[0-9;]*m)|[\u0000-\u001a\u001c-\u001f\u007f-\u009f]/g, '')
    .trim();
  return plain.length > limit ? `${plain.slice(0, Math.max(0, limit - 1))}…` : plain;
}

/** Text from elsewhere in as many lines as it has, without control characters and colours. */
export function displayLines(text: string): string {
  // eslint-disable-next-line no-control-regex -- these are what it removes
  return text.replace(/\u001b\[[0-9;?]*[A-Za-z]|[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g, '');
}

/** Text from elsewhere in as many lines as it has, without control characters; colours and tabs stay. */
export function displayPage(text: string): string {
  // eslint-disable-next-line no-control-regex -- these are what it removes; ESC only where it starts no colour
  return text.replace(/\u001b(?!\[[0-9;]*m)|[\u0000-\u0008\u000b-\u001a\u001c-\u001f\u007f-\u009f]/g, '');
}

/** A span of time for people: the two largest units. */
export function span(milliseconds: number): string {
  const seconds = Math.max(0, Math.round(milliseconds / 1000));
  if (seconds < 60) return milliseconds < 9950 ? `${(Math.max(0, milliseconds) / 1000).toFixed(1)}s` : `${seconds}s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes}m${seconds % 60}s`;
  const hours = Math.floor(minutes / 60);
  return hours < 48 ? `${hours}h${minutes % 60}m` : `${Math.floor(hours / 24)}d${hours % 24}h`;
}

/** A count with its noun. */
export function plural(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}
