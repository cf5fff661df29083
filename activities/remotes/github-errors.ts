/** An error of octokit's, whichever of its ways of throwing one it is, as one answer of GitHub. */
interface Answered {
  /** The HTTP status. Where there was no answer, octokit gives 500; GraphQL answers 200, and the kind of its error counts. */
  status: number;
  headers: Readonly<Record<string, string | number | undefined>>;
  /** What it says, without the address of its manual. */
  words: string;
}

/** What kinds of GraphQL errors are as HTTP; others say that the request is wrong. */
const KINDS: Readonly<Record<string, number>> = {
  RATE_LIMIT: 429,
  RATE_LIMITED: 429,
  FORBIDDEN: 403,
  INSUFFICIENT_SCOPES: 403,
  NOT_FOUND: 404,
  INTERNAL: 500,
};

/** What errors may have, as octokit's own classes, its plugins and GitHub write it. */
interface Thrown {
  status?: unknown;
  headers?: Answered['headers'];
  errors?: unknown;
  response?: { headers?: Answered['headers']; data?: unknown };
}

/** The HTTP status that an error of octokit's stands for, or `null` for another error. */
export function statusOf(error: unknown): number | null {
  return answerOf(error)?.status ?? null;
}

/** What GitHub says against a request, in words. */
export function wordsOf(error: unknown): string {
  return answerOf(error)?.words ?? (error instanceof Error ? error.message : String(error));
}

/** Is the answer that there is no such thing (any more), or none for this token or plan? */
export function isAbsence(error: unknown): boolean {
  const status = statusOf(error);
  return status === 404 || status === 410 || (status === 403 && !isLimit(error));
}

/** Was too much asked, by the hour or at once? */
export function isLimit(error: unknown): boolean {
  const answer = answerOf(error);
  if (answer === null || ![403, 429].includes(answer.status)) return false;
  const { status, headers, words } = answer;
  return (
    status === 429 ||
    headers['x-ratelimit-remaining'] === '0' ||
    headers['retry-after'] !== undefined ||
    /rate limit|abuse detection/i.test(words)
  );
}

function answerOf(error: unknown): Answered | null {
  if (!(error instanceof Error)) return null;
  const { status, headers, errors, response } = error as Thrown;
  if (error.name === 'GraphqlResponseError') return graphqlAnswer(errors, headers ?? {});
  if (error.name === 'HttpError' && typeof status === 'number') {
    return { status, headers: response?.headers ?? {}, words: restWords(error.message, response?.data) };
  }
  // The plugin for limits looks into answers to GraphQL itself, and throws an error of no class.
  const limited = (response?.data as { errors?: unknown } | undefined)?.errors;
  return Array.isArray(limited) ? graphqlAnswer(limited, response?.headers ?? {}) : null;
}

function graphqlAnswer(errors: unknown, headers: Answered['headers']): Answered {
  const said = (Array.isArray(errors) ? errors : []) as { type?: string; message?: string }[];
  const statuses = said.flatMap(({ type }) => KINDS[type ?? ''] ?? []);
  return { status: statuses[0] ?? 422, headers, words: said.map(({ message }) => message ?? '').join('; ') };
}

/** A message and the fields that it is about, which octokit would show as JSON. */
function restWords(message: string, data: unknown): string {
  const { message: said, errors } = (typeof data === 'object' && data !== null ? data : {}) as {
    message?: unknown;
    errors?: unknown;
  };
  if (typeof said !== 'string' || !Array.isArray(errors) || errors.length === 0) {
    return message.replace(/ - https:\/\/docs\.github\.com\S*/g, '');
  }
  return `${said}: ${errors.map((one) => fieldWords(one)).join('; ')}`;
}

function fieldWords(one: unknown): string {
  if (typeof one !== 'object' || one === null) return String(one);
  const { message, resource, field, code } = one as Readonly<Record<string, unknown>>;
  if (typeof message === 'string') return message;
  return [resource, field, code].filter((part) => typeof part === 'string').join(' ');
}
