// The start of an escape sequence, but of one that only sets off text which stays visible: no background that could have the
// colour of the text, nothing concealed, no black.
// eslint-disable-next-line no-control-regex -- the character that starts one
const STRANGE_ESCAPE = /\u001b(?!\[(?:CODE(?:;CODE)*)?m)/.source.replaceAll('CODE', '(?:[0-47]|2[2-47]|3[1-69]|90)');
const IN_A_LINE = new RegExp(`${STRANGE_ESCAPE}|[\\u0000-\\u001a\\u001c-\\u001f\\u007f-\\u009f]`, 'g');
const IN_A_PAGE = new RegExp(`${STRANGE_ESCAPE}|[\\u0000-\\u0008\\u000b-\\u001a\\u001c-\\u001f\\u007f-\\u009f]`, 'g');

/** Marks that make a terminal show what follows in another order than it is in. */
const DIRECTIONS = /[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;

/**
 * Text from elsewhere (agents, task files, errors) as it may go to a terminal in one line: no control characters, which
 * could rewrite what is on the screen or hide a part of it. Plain colours stay.
 */
export function displayText(text: string, limit = Infinity): string {
  const plain = inOrder(text.replace(/\s+/g, ' ').replace(IN_A_LINE, '')).trim();
  return plain.length > limit ? `${plain.slice(0, Math.max(0, limit - 1))}…` : plain;
}

/** Text from elsewhere in as many lines as it has, without control characters and colours. */
export function displayLines(text: string): string {
  // eslint-disable-next-line no-control-regex -- these are what it removes
  return inOrder(text.replace(/\u001b\[[0-9;?]*[A-Za-z]|[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g, ''));
}

/** Text from elsewhere in as many lines as it has, without control characters; plain colours and tabs stay. */
export function displayPage(text: string): string {
  return inOrder(text.replace(IN_A_PAGE, ''));
}

function inOrder(text: string): string {
  return text.replace(DIRECTIONS, (mark) => `<U+${mark.charCodeAt(0).toString(16).toUpperCase().padStart(4, '0')}>`);
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
