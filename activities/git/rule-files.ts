import { lstatSync, renameSync, unlinkSync } from 'node:fs';
import { onDisk } from './paths.ts';

/** Bytes of a file of rules, at most. Git reads all of it, and tries each rule on each path. */
export const RULES_SIZE = 1024 * 1024;

/** Does git read rules from files of this name, wherever they lie in a work tree? */
export function isRulesName(name: string): boolean {
  return /^\.git(?:ignore|attributes)$/i.test(name);
}

/**
 * Removes what is neither file, directory nor link from where git looks for rules: it would wait for ever for somebody to
 * write into a pipe.
 */
export function removeFalseRules(tree: string, path: string): void {
  unlinkSync(onDisk(tree, path));
}

/** Renames a file of rules that is too large for one, so that nothing of it is lost. Returns its new path. */
export function setRulesAside(tree: string, path: string): string {
  for (let count = 1; ; count += 1) {
    const aside = `${path}.too-large${count === 1 ? '' : `-${count}`}`;
    if (lstatSync(onDisk(tree, aside), { throwIfNoEntry: false }) !== undefined) continue;
    renameSync(onDisk(tree, path), onDisk(tree, aside));
    return aside;
  }
}
