/** A person or a program, as git names authors and committers. */
export interface Identity {
  name: string;
  email: string;
}

/** Who Signalbox's own commits are by. */
export const OUR_IDENTITY: Identity = { name: 'Signalbox', email: 'signalbox@localhost' };

// Without what a commit cannot hold; git finds no name in one of nothing but dots and commas.
const IDENTITY = /^(?<name>[^<>\p{Cc}]*[\p{L}\p{N}][^<>\p{Cc}]*) <(?<email>[^<>\s\p{Cc}]+)>$/u;
const LONGEST = 200;

/** Says why a text does not name somebody as git does, or `null` if it does. */
export function identityProblem(text: string): string | null {
  if (text.length > LONGEST) return `has ${text.length} characters; at most ${LONGEST} are allowed`;
  return IDENTITY.test(text) ? null : `must be "Name <email>", not ${JSON.stringify(text)}`;
}

/** Takes a text apart about which {@link identityProblem} has nothing to say. */
export function parseIdentity(text: string): Identity {
  const { name = '', email = '' } = IDENTITY.exec(text)?.groups ?? {};
  return { name: name.trim(), email };
}

/** Names somebody as git does. */
export function identityText({ name, email }: Identity): string {
  return `${name} <${email}>`;
}
