import { createServer, request as forward, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { account } from './docker-registry.ts';

/**
 * A stand-in for Harbor: its API for projects (v2.0: who may what, and the statuses that it answers with) in front of a real registry,
 * whose repositories it lets through where their project exists.
 */
export interface HarborStandIn {
  readonly host: string;
  readonly projects: Map<string, { readonly public: string }>;
  /** `POST /api/v2.0/projects 201` and so on. */
  readonly apiCalls: readonly string[];
  /** False: only administrators may create projects, and the account is none. */
  mayCreate: boolean;
  stop(): Promise<void>;
}

const nameRule = /^[a-z0-9]+(?:[._-][a-z0-9]+)*$/;

export async function startHarborStandIn(registryHost: string): Promise<HarborStandIn> {
  const projects = new Map<string, { readonly public: string }>();
  const apiCalls: string[] = [];
  const expected = `Basic ${Buffer.from(`${account.username}:${account.password}`).toString('base64')}`;
  const state = { mayCreate: true };

  async function answerApi(request: IncomingMessage): Promise<number> {
    const url = new URL(request.url ?? '/', 'http://localhost');
    // A token of the registry says nothing here.
    if (request.headers.authorization !== expected) return 401;
    if (request.method === 'HEAD') return projects.has(url.searchParams.get('project_name') ?? '') ? 200 : 404;
    if (request.method !== 'POST') return 405;
    if (request.headers['content-type'] !== 'application/json') return 415;
    let text = '';
    for await (const chunk of request) text += String(chunk);
    const { project_name: name, metadata } = JSON.parse(text) as {
      project_name: string;
      metadata: { public: string };
    };
    if (!state.mayCreate) return 403;
    if (!nameRule.test(name)) return 400;
    if (projects.has(name)) return 409;
    projects.set(name, metadata);
    return 201;
  }

  function passOn(request: IncomingMessage, response: ServerResponse): void {
    const { method, url = '/', headers } = request;
    const [, project = ''] = /^\/v2\/([^/]+)\/.+/.exec(url) ?? [];
    if (project !== '' && !projects.has(project)) {
      request.resume();
      response.writeHead(404, { 'content-type': 'application/json' });
      response.end(JSON.stringify({ errors: [{ code: 'NOT_FOUND', message: `project ${project} not found` }] }));
      return;
    }
    const [hostname = '', port = ''] = registryHost.split(':');
    const onward = forward({ hostname, port, method, path: url, headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(response);
    });
    onward.on('error', () => response.destroy());
    request.pipe(onward);
  }

  const server = createServer((request, response) => {
    const { method = '', url = '/' } = request;
    if (!url.startsWith('/api/v2.0/projects')) {
      passOn(request, response);
      return;
    }
    void answerApi(request).then((status) => {
      apiCalls.push(`${method} ${url} ${status}`);
      const codes: Readonly<Record<number, string>> = { 401: 'UNAUTHORIZED', 403: 'FORBIDDEN', 409: 'CONFLICT' };
      const code = codes[status];
      const body = code === undefined ? '' : JSON.stringify({ errors: [{ code, message: code.toLowerCase() }] });
      response.writeHead(status, { 'content-type': 'application/json' }).end(method === 'HEAD' ? '' : body);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    host: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    projects,
    apiCalls,
    get mayCreate() {
      return state.mayCreate;
    },
    set mayCreate(value) {
      state.mayCreate = value;
    },
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
