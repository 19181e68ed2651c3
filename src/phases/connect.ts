import type { ClusterPhase, RunContext } from '../engine/phase.ts';
import { reportError, toInstallerError } from '../engine/failures.ts';
import { connectHost } from '../hosts/connect.ts';
import { factQueries } from '../hosts/fact-queries.ts';
import { parseFacts } from '../hosts/facts.ts';
import { createHost, type Host } from '../hosts/host.ts';
import { reconnecting } from '../hosts/reconnecting.ts';
import { lookingWithoutRoot } from '../hosts/without-root.ts';
import type { Cluster } from '../kubernetes/cluster.ts';
import type { Limiter } from '../lib/concurrency.ts';
import { collectGarbageOf } from '../lib/garbage.ts';
import { createSharing } from '../lib/sharing.ts';
import type { HostConfig } from '../spec/schema.ts';
import { createKeyLoader } from '../transport/ssh-keys.ts';
import type { Connection, Transport } from '../transport/transport.ts';

export interface ConnectPhaseOptions {
  /** For commands that only look: an account that cannot become root is enough, and a warning says so. */
  readonly withoutRoot?: boolean;
  /** Shells that each connection keeps waiting; for commands that send few scripts. */
  readonly spareShells?: number;
}

/**
 * Connects to all hosts at once. A host that cannot be reached does not end the run here: the prechecks report it together
 * with what is wrong on the others.
 */
export function connect(limiter: Limiter, options: ConnectPhaseOptions = {}): ClusterPhase<Cluster> {
  return {
    scope: 'cluster',
    id: 'connect',
    title: 'Connect',
    required: true,
    runsOnDryRun: true,
    failed: (cluster) => cluster.unreachable.length > 0,
    async run(cluster, context) {
      const { supply } = cluster;
      if (supply !== undefined) {
        for (const message of supply.notes) context.emitter.emit({ type: 'log', level: 'warning', message });
        context.emitter.emit({
          type: 'log',
          level: 'info',
          message: `hosts get everything from ${supply.description}`,
        });
      }
      const keys = createKeyLoader();
      const shared = createSharing();
      const { hosts } = cluster.config.spec;
      const connected = hosts.map((config) =>
        limiter.run(() => connectOne(cluster, context, config, { limiter, keys, shared, ...options })),
      );
      // What was read of the cluster file, while the hosts are on the line.
      setImmediate(() => collectGarbageOf(hosts.length));
      await Promise.all(connected);
      return [];
    },
  };
}

async function connectOne(
  cluster: Cluster,
  context: RunContext,
  config: HostConfig,
  {
    limiter,
    keys,
    shared,
    withoutRoot = false,
    spareShells,
  }: ConnectPhaseOptions & {
    readonly limiter: Limiter;
    readonly keys: ReturnType<typeof createKeyLoader>;
    readonly shared: ReturnType<typeof createSharing>;
  },
): Promise<void> {
  const { emitter } = context;
  const startedAt = performance.now();
  const base = { phase: 'connect', host: config.name } as const;
  emitter.emit({ type: 'host.started', ...base });
  let opened: Host | undefined;
  try {
    const warn = (message: string): void => emitter.emit({ type: 'log', level: 'warning', host: config.name, message });
    const open = async (): Promise<Transport> => {
      const connection = await connectHost(config, {
        signal: context.signal,
        keys,
        spareShells,
        bastions: cluster.bastions,
        addSecret: (value) => emitter.addSecret(value),
        onWarning: warn,
      });
      await publishSupply(cluster, config.name, connection, context.signal);
      return connection;
    };
    const connected = reconnecting(await open(), open, {
      onReconnect: () => warn('connecting again'),
    });
    const transport = withoutRoot ? lookingWithoutRoot(connected, ({ message }) => warn(message)) : connected;
    const host = createHost(config.name, limited(transport, limiter), ({ summary, result }) => {
      const { durationMs, exitCode, bytesSent, bytesReceived } = result;
      emitter.emit({
        type: 'command.finished',
        host: config.name,
        summary,
        durationMs,
        exitCode,
        bytesSent,
        bytesReceived,
      });
    });
    opened = host;
    // The first look follows at once, in the place that this host has among those that are worked on: while other hosts are
    // still shaking hands. What it said is let go of when facts are made: a hundred answers in full take a quarter of the memory.
    const seen = await host.observeOnce(firstQuestions, { ...firstLook, signal: context.signal });
    cluster.facts.set(config.name, shared(parseFacts(seen, host.askedAtMs(), host.tookMs())));
    cluster.hosts.set(config.name, host);
    emitter.emit({
      type: 'host.finished',
      ...base,
      status: 'ok',
      durationMs: performance.now() - startedAt,
      changes: 0,
    });
  } catch (error) {
    await opened?.transport.close();
    const failure = toInstallerError(error, config.name);
    cluster.unreachable.push(failure);
    emitter.emit({
      type: 'host.finished',
      ...base,
      status: 'failed',
      durationMs: performance.now() - startedAt,
      changes: 0,
      error: reportError(failure),
    });
  }
}

/** Makes the bundle of the run answer on the host itself; a connection that is made anew has the port of the one before, if it can. */
async function publishSupply(
  { supply }: Cluster,
  host: string,
  connection: Connection,
  signal: AbortSignal,
): Promise<void> {
  if (supply === undefined) return;
  try {
    supply.ports.set(host, await connection.publish(supply.service, { preferredPort: supply.ports.get(host), signal }));
  } catch (error) {
    await connection.close();
    throw error;
  }
}

/** One list for all hosts: what is made of it is made once. */
const firstQuestions = Object.values(factQueries);

/** Of one host; it holds a place of the limit already. */
const firstLook = { timeoutMs: 60_000, together: true } as const;

/** Bounds how many hosts run a script at the same time. */
function limited(transport: Transport, limiter: Limiter): Transport {
  return {
    description: transport.description,
    privilege: transport.privilege,
    get trips() {
      return transport.trips;
    },
    exec: (script, options) =>
      options.together === true ? transport.exec(script, options) : limiter.run(() => transport.exec(script, options)),
    close: () => transport.close(),
  };
}
