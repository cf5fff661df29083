import { describe, expect, test } from '@jest/globals';
import { configSchema } from '../../core/config.ts';
import { loosenings } from '../../core/loosened.ts';

const of = (sandbox: unknown, backend: 'docker' | 'local' = 'docker'): string[] =>
  loosenings({ backend, config: { ...configSchema.parse({ sandbox }), project: 'p' } });

describe('what loosens the sandbox', () => {
  test('is nothing by default, and nothing that makes it stricter', () => {
    expect(of({})).toEqual([]);
    const stricter = { network: 'none', memory: '1GiB', cpus: 0.5, pids: 10, tmpfs_size: '1MiB', runtime: 'runsc' };
    expect(of({ ...stricter, ulimits: { fsize: '1MiB' }, read_only: true, cap_add: [] })).toEqual([]);
  });

  test.each([
    [{ network: 'bridge' }, 'network bridge: '],
    [{ allow: ['npm', 'example.org'] }, 'allow npm, example.org: '],
    [{ allow: ['npm'], allow_private: ['10.0.0.0/8'] }, 'allow_private 10.0.0.0/8: '],
    [{ env: ['NPM_TOKEN'] }, 'env NPM_TOKEN: '],
    [{ user: '1000:1000' }, 'user 1000:1000: '],
    [{ memory: '16GiB' }, 'memory 16GiB: by default 8GiB'],
    [{ cpus: 8 }, 'cpus 8: by default 4'],
    [{ pids: 4096 }, 'pids 4096: by default 2048'],
    [{ ulimits: { fsize: '5GiB' } }, 'ulimits.fsize 5GiB: by default 4GiB'],
    [{ tmpfs_size: '3GiB' }, 'tmpfs_size 3GiB: by default 2GiB'],
    [{ shm_size: '1GiB' }, 'shm_size 1GiB: by default 64MiB'],
    [{ read_only: false }, 'read_only false: '],
    [{ cap_add: ['NET_RAW', 'SYS_PTRACE'] }, 'cap_add NET_RAW, SYS_PTRACE: '],
    [{ security_opt: ['seccomp=unconfined'] }, 'security_opt seccomp=unconfined: '],
    [{ security_opt: ['no-new-privileges=false'] }, 'security_opt no-new-privileges=false: '],
    [{ devices: ['/dev/kvm'] }, 'devices /dev/kvm: '],
    [{ runtime: 'nvidia' }, 'runtime nvidia: '],
  ])('is %j', (sandbox, line) => {
    expect(of(sandbox)).toContainEqual(expect.stringContaining(line));
  });

  test('is the local backend by itself, and of the configuration what steps on the host heed', () => {
    const heeded = {
      memory: '16GiB',
      cpus: 8,
      pids: 4096,
      ulimits: { fsize: '5GiB' },
      tmpfs_size: '3GiB',
      allow: ['npm'],
      env: ['TOKEN'],
    };
    const unheeded = { shm_size: '1GiB', cap_add: ['NET_RAW'], read_only: false };
    expect(of({ ...heeded, ...unheeded }, 'local')).toEqual([
      'backend local: steps run on this host, not in containers',
      expect.stringContaining('allow npm: '),
      expect.stringContaining('env TOKEN: '),
      expect.stringContaining('memory 16GiB: '),
      expect.stringContaining('cpus 8: '),
      expect.stringContaining('pids 4096: '),
      expect.stringContaining('ulimits.fsize 5GiB: '),
      expect.stringContaining('tmpfs_size 3GiB: '),
    ]);
    expect(of({ network: 'bridge' }, 'local')).toEqual([expect.stringContaining('backend local: ')]);
  });
});

test.each([
  [{ cap_add: ['ROOT'] }],
  [{ security_opt: ['seccomp=/tmp/profile.json'] }],
  [{ devices: ['/dev/sda1'] }],
  [{ devices: ['/dev/mapper/root'] }],
  [{ devices: ['/dev/mapper'] }],
  [{ devices: ['/dev/mem'] }],
  [{ devices: ['/dev/../etc/shadow'] }],
  [{ devices: ['/var/run/docker.sock'] }],
  [{ cpus: 0 }],
  [{ ulimits: { fsize: 'unlimited' } }],
  [{ ulimits: { nproc: 5 } }],
])('%j is no setting of a sandbox', (sandbox) => {
  expect(configSchema.safeParse({ sandbox }).success).toBe(false);
});
