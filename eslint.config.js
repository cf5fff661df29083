import js from '@eslint/js';
import importX, { createNodeResolver } from 'eslint-plugin-import-x';
import tseslint from 'typescript-eslint';

/**
 * The layer rule of docs/architecture.md: each folder names the folders of ours that it may not import, and what it
 * may use of those that it may.
 */
const layers = [
  { target: './core', from: ['./workflows', './activities', './workers', './cli', './test', './scripts'] },
  { target: './workflows', from: ['./activities', './workers', './cli', './test', './scripts'] },
  { target: './activities', from: ['./workflows', './workers', './cli', './test', './scripts'] },
  { target: './workers', from: ['./cli', './test', './scripts'] },
  { target: './cli', from: ['./activities', './test', './scripts'] },
];

const noNodeBuiltins = [
  'error',
  {
    patterns: [
      {
        group: ['node:*', 'fs', 'path', 'os', 'crypto', 'child_process'],
        message: 'This layer is pure: no Node built-ins.',
      },
    ],
  },
];

export default tseslint.config(
  { ignores: ['dist/', 'node_modules/', 'examples/', 'coverage/', '.quickstart/'] },
  js.configs.recommended,
  tseslint.configs.strictTypeChecked,
  {
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    plugins: { 'import-x': importX },
    settings: { 'import-x/resolver-next': [createNodeResolver({ extensions: ['.ts', '.js'] })] },
    rules: {
      'import-x/no-cycle': 'error',
      'import-x/no-restricted-paths': [
        'error',
        { zones: layers.flatMap(({ target, from }) => from.map((folder) => ({ target, from: folder }))) },
      ],
      'max-lines': ['error', { max: 400 }],
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_' }],
      '@typescript-eslint/consistent-type-definitions': ['error', 'interface'],
      '@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true }],
    },
  },
  {
    files: ['core/**'],
    rules: {
      'no-restricted-imports': noNodeBuiltins,
      'no-restricted-globals': ['error', 'process', 'setTimeout', 'setInterval', 'fetch'],
      'no-restricted-properties': [
        'error',
        { object: 'Math', property: 'random' },
        { object: 'Date', property: 'now' },
      ],
    },
  },
  { files: ['workflows/**'], rules: { 'no-restricted-imports': noNodeBuiltins } },
  { files: ['test/**'], rules: { '@typescript-eslint/no-non-null-assertion': 'off' } },
  {
    files: ['**/*.js', '**/*.mjs', '**/*.cjs'],
    extends: [tseslint.configs.disableTypeChecked],
    languageOptions: { globals: { process: 'readonly', console: 'readonly', URL: 'readonly' } },
  },
  {
    files: ['**/*.cjs'],
    rules: { '@typescript-eslint/no-require-imports': 'off' },
    languageOptions: { globals: { require: 'readonly', exports: 'readonly' } },
  },
);
