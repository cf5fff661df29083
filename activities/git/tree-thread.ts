// What a thread does for `clean-tree.ts`: all that touches many files of a tree.
export { advance } from './tree-advance.ts';
export { scrub, settle } from './tree-scan.ts';
