import { existsSync } from 'node:fs';
import { Client, type Connection } from '@temporalio/client';
import { homeOf, type Home } from '../activities/home.ts';
import { loadProject, type Project } from '../activities/catalogue/project.ts';
import { environmentRedactor } from '../activities/redaction/environment-secrets.ts';
import { projectSecrets } from '../activities/redaction/project-secrets.ts';
import type { Redactor } from '../activities/redaction/redactor.ts';
import { ArtefactStore } from '../activities/records/artefact-store.ts';
import { ManifestReader } from '../activities/records/manifest-reader.ts';
import { SignalboxError } from '../core/failures.ts';
import { dataConverters } from './data-converters.ts';
import { repositoryWith } from './runs/forgotten-run.ts';
import { RunReader } from './runs/run-reader.ts';
import { taskViews } from '../core/task-views.ts';
import { createEmbeddedServer } from './server/embedded-server.ts';
import { registerSearchAttributes } from './server/namespace.ts';
import { connectTemporal } from './server/reach.ts';
import { resolveTemporalTarget, type TemporalTarget } from './server/target.ts';
import { webUiLink } from './server/web-ui-link.ts';

type Env = Readonly<Record<string, string | undefined>>;

/** What {@link openSession} is given. */
export interface SessionRequest {
  /** Where the project is looked for. */
  directory: string;
  env: Env;
  /** Start the embedded server if none is configured and none runs. Without it, only one that has data is started. */
  startServer: boolean;
  /** One line for a person about what is going on. */
  onProgress: (text: string) => void;
}

/** A project, and a connection to the server that holds its runs. */
export interface Session {
  readonly project: Project & { id: string };
  readonly home: Home;
  readonly env: Env;
  readonly client: Client;
  readonly target: TemporalTarget;
  readonly reader: RunReader;
  /** Keeps secrets out of what is sent and said. */
  readonly redactor: Redactor;
  readonly onProgress: (text: string) => void;
  /** The address of a workflow in the Web UI, or `null` where that is not known. */
  webUi: (workflowId: string) => string | null;
  /** Can workflows be given our search attributes? Registers them if they are missing; says so if that is refused. */
  hasSearchAttributes: () => Promise<boolean>;
  close: () => Promise<void>;
}

/**
 * Reads the project and connects to its Temporal server.
 *
 * @throws SignalboxError `config` for the project, `environment` for the server
 */
export async function openSession(request: SessionRequest): Promise<Session> {
  const { env, onProgress } = request;
  const project = loadProject(request.directory, { env });
  const home = homeOf(env);
  const target = await findTarget(home, request);
  const connection = await connectTemporal(target.connection);
  const redactor = environmentRedactor(env);
  redactor.learn(projectSecrets(project.config, env));
  const id = project.config.project;
  return sessionOf({ project: { ...project, id }, home, env, onProgress, target, connection, redactor });
}

/** The server that is configured or embedded, the latter started where {@link SessionRequest} asks for it. */
export async function findTarget(home: Home, request: Omit<SessionRequest, 'directory'>): Promise<TemporalTarget> {
  const { env, onProgress } = request;
  const server = createEmbeddedServer({ home, env, onProgress });
  const before = server.status();
  const start = request.startServer || existsSync(before.dataFile);
  const target = await resolveTemporalTarget(env, server, { start });
  if (target.kind === 'embedded' && !before.running) {
    onProgress(`Started the embedded Temporal server (${target.address}); Web UI: ${target.webUi ?? 'none'}`);
  }
  return target;
}

function sessionOf(parts: {
  project: Session['project'];
  home: Home;
  env: Env;
  onProgress: (text: string) => void;
  target: TemporalTarget;
  connection: Connection;
  redactor: Redactor;
}): Session {
  const { connection, target, redactor } = parts;
  const onProgress = (text: string): void => parts.onProgress(redactor.text(text));
  const dataConverter = dataConverters(parts.home, parts.env, redactor).client;
  const client = new Client({ connection, namespace: target.namespace, dataConverter });
  const manifests = new ManifestReader(new ArtefactStore(parts.home.artefacts));
  return {
    project: parts.project,
    home: parts.home,
    env: parts.env,
    client,
    target,
    redactor,
    reader: new RunReader(
      client,
      async (run) => taskViews(await manifests.manifest(run)),
      (run) => repositoryWith(parts.home, run),
    ),
    onProgress,
    webUi: (workflowId) => webUiLink(target, workflowId),
    hasSearchAttributes: async () => {
      const registration = await registerSearchAttributes(connection, target.namespace);
      if (registration.registered) return true;
      onProgress(
        `The server does not take search attributes, so the Web UI cannot filter by them: ${registration.reason}`,
      );
      return false;
    },
    close: async () => {
      // A connection that is lost already is closed enough.
      await connection.close().catch(() => undefined);
    },
  };
}

/** Refuses a command that needs an open run. @throws SignalboxError `refused` or `not_found` */
export async function requireOpenRun(session: Session, run: string, wish: string): Promise<void> {
  if (await session.reader.isOpen(session.project.id, run)) return;
  const { status } = await session.reader.read(session.project.id, run);
  throw new SignalboxError('refused', `run ${run} is ${status} already, so ${wish}`);
}
