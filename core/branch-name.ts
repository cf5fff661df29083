/** Says why git would refuse (or misread as an option) a branch's or remote's name, or `null` if it is fine. */
export function branchNameProblem(name: string): string | null {
  const shown = JSON.stringify(name.length > 80 ? `${name.slice(0, 77)}…` : name);
  // eslint-disable-next-line no-control-regex -- control characters are what it refuses
  const forbidden = /[\u0000- \u007f~^:?*[\\]|\.\.|@\{/.exec(name)?.[0];
  if (forbidden !== undefined) return `${shown} must not hold ${JSON.stringify(forbidden)}`;
  if (name === '' || name === '@' || name === 'HEAD' || name.startsWith('-')) return `${shown} is no name for git`;
  const parts = name.split('/');
  if (parts.some((part) => part === '' || part.startsWith('.') || part.endsWith('.lock')) || name.endsWith('.')) {
    return `${shown} has a part that is empty, starts with ".", or ends in "." or ".lock"`;
  }
  return name.length > 200 ? `${shown} has ${name.length} characters; at most 200 are allowed` : null;
}
