import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import type { Duplex } from 'node:stream';
import { connect as connectTls } from 'node:tls';
import { reusedReads } from './reused-reads.ts';

/** Makes the connection to a host instead of the network stack here: through an SSH connection, for example. */
export type Connect = (target: { readonly host: string; readonly port: number }) => Promise<Duplex>;

/** How connections to a registry are made. */
export interface ConnectionOptions {
  /** PEM text of certificates that are trusted besides the usual ones. */
  readonly ca?: string | undefined;
  /** Accept any certificate. */
  readonly insecure?: boolean | undefined;
  readonly connect?: Connect | undefined;
  /** HTTPS_PROXY, HTTP_PROXY and NO_PROXY in either case; none where this is undefined. Not heeded with `connect`. */
  readonly proxyEnv?: NodeJS.ProcessEnv | undefined;
  /** Connections at once. */
  readonly maxConnections: number;
}

/** An agent that keeps connections and makes them as told. `usualCas` are the certificates that are trusted anyway. */
export function createAgent(
  protocol: string,
  options: ConnectionOptions,
  usualCas: () => readonly string[],
): HttpAgent | HttpsAgent {
  const { ca, insecure, connect, proxyEnv, maxConnections } = options;
  const common = {
    keepAlive: true,
    maxSockets: maxConnections,
    maxFreeSockets: maxConnections,
    noDelay: true,
  } as const;
  const proxy = connect === undefined && proxyEnv !== undefined ? { proxyEnv } : {};
  const tls = { ...(ca === undefined ? {} : { ca: [...usualCas(), ca] }), rejectUnauthorized: insecure !== true };
  if (protocol === 'http:') {
    const agent = new HttpAgent({ ...common, ...proxy });
    if (connect === undefined) saveReads(agent);
    else divert(agent, connect, (socket) => socket);
    return agent;
  }
  const agent = new HttpsAgent({ ...common, ...proxy, ...tls });
  if (connect === undefined) {
    saveReads(agent);
  } else {
    divert(agent, connect, (socket, host) =>
      connectTls({ socket, ...tls, ...(isAddress(host) ? {} : { servername: host }) }),
    );
  }
  return agent;
}

type CreateConnection = (
  options: { host?: string; hostname?: string; port?: number | string },
  done: (error: Error | null, socket?: Duplex) => void,
) => Duplex | undefined;

/** Lets each connection of an agent read into memory of its own. */
function saveReads(agent: HttpAgent): void {
  const own = agent as unknown as { createConnection: (options: object, done: unknown) => Duplex | undefined };
  const create = own.createConnection.bind(agent);
  own.createConnection = (options, done) => create({ ...options, onread: reusedReads() }, done);
}

/** Lets an agent take its connections from somebody else; Node asks its agents for them through this one method. */
function divert(agent: HttpAgent, connect: Connect, secure: (socket: Duplex, host: string) => Duplex): void {
  const createConnection: CreateConnection = (options, done) => {
    const host = options.host ?? options.hostname ?? 'localhost';
    connect({ host, port: Number(options.port) }).then(
      (socket) => done(null, secure(socket, host)),
      (error: unknown) => done(error instanceof Error ? error : new Error(String(error))),
    );
    return undefined;
  };
  (agent as unknown as { createConnection: CreateConnection }).createConnection = createConnection;
}

function isAddress(host: string): boolean {
  return host.includes(':') || /^\d+\.\d+\.\d+\.\d+$/.test(host);
}
