import { expect, test } from '@jest/globals';
import { basesOf } from '../../../activities/sandbox/dockerfile-bases.ts';

test.each([
  ['one base', 'FROM node:24', {}, ['node:24']],
  ['a base with a platform, in lower case', 'from --platform=linux/amd64 debian:12 as base', {}, ['debian:12']],
  ['a default of an argument', 'ARG BASE=node:24\nFROM ${BASE}', {}, ['node:24']],
  ['an argument that was given', 'ARG BASE=node:24\nFROM $BASE', { BASE: 'node:22' }, ['node:22']],
  ['an argument made of another', 'ARG V=24\nARG BASE="node:${V}"\nFROM ${BASE}', {}, ['node:24']],
  ['a default at the place', 'ARG BASE\nFROM ${BASE:-debian:12}', {}, ['debian:12']],
  ['an argument without a value', 'ARG BASE\nFROM ${BASE}', {}, []],
  ['stages, and nothing', 'FROM a AS One\nFROM one\nFROM scratch\nFROM b\nFROM a', {}, ['a', 'b']],
  ['an argument of a stage', 'FROM a AS x\nARG BASE=c\nFROM b', { BASE: 'd' }, ['a', 'b']],
  ['a line that goes on', 'FROM \\\n  node:24 \\\n  AS x', {}, ['node:24']],
])('a Dockerfile with %s', (_, dockerfile, args, bases) => {
  expect(basesOf(dockerfile, args as Record<string, string>)).toEqual(bases);
});
