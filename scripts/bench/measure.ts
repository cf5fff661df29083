import { lstatSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { machineCounters, machineLoad, processCpu } from './counters.ts';
import type { BenchRepository } from './repository.ts';
import type { Beside, BenchWorld } from './world.ts';

/** One measured run. Counts and seconds are for the whole run, unless they say otherwise. */
export interface Measurement {
  what: string;
  tasks: number;
  /** Wall time in seconds, from the call that starts the run to the end of its workflow. */
  wall: number;
  /** CPU seconds; `null` where the system does not tell. */
  cpu: { worker: number; children: number; server: number } | null;
  /** CPU that anything else used meanwhile, as a share of the machine; 0.1 or more makes times doubtful. */
  disturbed: number | null;
  /** Processes that the worker started itself, by program. */
  spawned: Record<string, number>;
  /** All processes and threads that the machine started meanwhile. */
  started: number | null;
  /** Bytes that the home grew by, but for the server's database. */
  disk: number;
  database: number;
  /** The 1-minute load when it began. */
  load: number;
}

/** Runs all tasks of a repository once and measures it. @param beside see {@link BenchWorld.run} */
export async function measure(
  world: BenchWorld,
  repository: BenchRepository,
  what: string,
  tasks: number,
  { maxParallel = 4, beside }: { maxParallel?: number; beside?: Beside } = {},
): Promise<Measurement> {
  const { cores, load } = machineLoad();
  const before = await reading(world);
  const { seconds } = await world.run(repository, maxParallel, beside);
  const after = await reading(world);
  const spawned: Record<string, number> = {};
  for (const [name, count] of Object.entries(after.spawned)) spawned[name] = count - (before.spawned[name] ?? 0);
  const cpu =
    before.cpu === null || after.cpu === null
      ? null
      : {
          worker: after.cpu.worker - before.cpu.worker,
          children: after.cpu.children - before.cpu.children,
          server: after.cpu.server - before.cpu.server,
          bench: after.cpu.bench - before.cpu.bench,
        };
  const { machine: from } = before;
  const { machine: to } = after;
  const ours = cpu === null ? null : cpu.worker + cpu.children + cpu.server + cpu.bench;
  return {
    what,
    tasks,
    wall: seconds,
    cpu,
    disturbed: ours === null ? null : Math.max(0, (to.busy - from.busy - ours) / ((to.at - from.at) * cores)),
    spawned,
    started: from.started === null || to.started === null ? null : to.started - from.started,
    disk: after.disk - before.disk,
    database: after.database - before.database,
    load,
  };
}

async function reading(world: BenchWorld) {
  const { home } = world;
  const { spawned } = await world.probe();
  const worker = world.workerPid === null ? null : processCpu(world.workerPid);
  const server = world.serverPid === null ? null : processCpu(world.serverPid);
  const bench = processCpu(process.pid);
  const database = diskUsage(home.server);
  return {
    spawned,
    cpu:
      worker === null || server === null || bench === null
        ? null
        : {
            worker: worker.own,
            children: worker.children,
            server: server.own,
            bench: bench.own + bench.children,
          },
    database,
    disk: diskUsage(home.root) - database,
    machine: machineCounters(),
  };
}

/** Bytes that a directory takes on the disk, hard links counted once for each name. */
export function diskUsage(directory: string): number {
  let bytes = 0;
  const add = (file: string): void => {
    const stat = lstatSync(file, { throwIfNoEntry: false });
    if (stat === undefined) return;
    bytes += stat.blocks * 512;
    if (stat.isDirectory()) for (const name of readdirSync(file)) add(path.join(file, name));
  };
  add(directory);
  return bytes;
}
