import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { copy } from '../../src/oci/copy.ts';
import type { CopiedImage } from '../../src/oci/copy-types.ts';
import { basicHeader } from '../../src/lib/basic-auth.ts';
import { fixedCredentials } from '../../src/oci/credentials.ts';
import { createLayout } from '../../src/oci/layout.ts';
import { parseReference, type Reference } from '../../src/oci/reference.ts';
import { createRegistryStore } from '../../src/oci/registry.ts';
import type { WritableOciStore } from '../../src/oci/store.ts';
import { makeImage, putImage, randomBlob } from '../support/oci/images.ts';
import { TestRegistry, type Asked, type Fault } from '../support/oci/registry.ts';

const account = { username: 'alice', password: 'open sesame' };
const image = makeImage([randomBlob(200_000), randomBlob(1000)]);
const local = parseReference('example.com/app:v1');
let registry: TestRegistry;
let dir: string;
let layout: WritableOciStore;
const stores: WritableOciStore[] = [];

beforeEach(async () => {
  registry = await new TestRegistry().start();
  dir = await mkdtemp(join(tmpdir(), 'oci-auth-'));
  layout = await createLayout(dir);
  await putImage(layout, local, image);
});

afterEach(async () => {
  for (const store of stores.splice(0)) await store.close();
  await registry.close();
  await rm(dir, { recursive: true, force: true });
});

function there(): Reference {
  return parseReference(`${registry.host}/app:v1`);
}

async function push(login = true): Promise<CopiedImage> {
  const credentials = login ? fixedCredentials({ [registry.host]: account }) : undefined;
  const store = createRegistryStore({
    patience: { baseDelayMs: 1, maxDelayMs: 5, attempts: 3 },
    credentials,
    willPush: true,
  });
  stores.push(store);
  const { images } = await copy(layout, store, [{ from: local, to: there() }], { attempts: 3, baseDelayMs: 1 });
  const [first] = images;
  if (first === undefined) throw new Error('nothing was copied');
  return first;
}

const isWrite = ({ method }: Asked): boolean => method !== 'GET' && method !== 'HEAD';

/** Tokens of a registry: given out under `/token`, and asked for by whatever `needs` one. */
class Tokens {
  issued = 0;
  /** The only one that counts. */
  valid = '';
  readonly fault: Fault;

  constructor(
    needs: (asked: Asked) => boolean,
    /** Called for each request that shows the right token. */
    onUse: (tokens: Tokens, asked: Asked) => void = () => undefined,
  ) {
    this.fault = (asked, response, request) => {
      if (asked.path.startsWith('/token')) {
        const isKnown = asked.authorization === basicHeader(account);
        this.valid = isKnown ? `T${(this.issued += 1)}` : this.valid;
        response.writeHead(isKnown ? 200 : 401).end(JSON.stringify({ token: this.valid, expires_in: 300 }));
        return true;
      }
      if (!needs(asked)) return false;
      if (asked.authorization === `Bearer ${this.valid}` && this.valid !== '') {
        onUse(this, asked);
        return false;
      }
      request.resume();
      const challenge = `Bearer realm="http://${registry.host}/token",service="test"`;
      response.writeHead(401, { 'www-authenticate': challenge }).end();
      return true;
    };
  }
}

describe('a registry that lets everybody read', () => {
  it('gets to see the account when it asks for it: basic', async () => {
    registry.fault = (asked, response, request) => {
      if (!isWrite(asked) || asked.authorization === basicHeader(account)) return false;
      request.resume();
      response.writeHead(401, { 'www-authenticate': 'Basic realm="test"' }).end();
      return true;
    };

    expect((await push()).status).toBe('copied');
    expect(await push(false)).toMatchObject({ status: 'present' });
  });

  it('gets to see the account when it asks for it: token', async () => {
    const tokens = new Tokens(isWrite);
    registry.fault = tokens.fault;

    expect((await push()).status).toBe('copied');
    expect(tokens.issued).toBe(1);
  });

  it('is told who may write where nobody has logged in', async () => {
    registry.fault = new Tokens(isWrite).fault;

    const { error } = await push(false);

    expect(error).toMatchObject({ code: 'OCI_UNAUTHORIZED', remedy: expect.stringContaining('log in') as string });
  });
});

describe('a token that is refused before its time', () => {
  it('is not shown again: another one is asked for', async () => {
    let uses = 0;
    const tokens = new Tokens(
      () => true,
      (all, { method }) => {
        // As where the registry was started anew: whatever was given out before counts no more.
        if (method === 'HEAD' && (uses += 1) === 1) all.valid = '';
      },
    );
    registry.fault = tokens.fault;

    expect((await push()).status).toBe('copied');
    expect(tokens.issued).toBe(2);
  });

  it('is replaced in the midst of an upload too', async () => {
    const tokens = new Tokens(
      () => true,
      (all, { method }) => {
        if (method === 'POST' && all.issued === 1) all.valid = '';
      },
    );
    registry.fault = tokens.fault;

    expect((await push()).status).toBe('copied');
    expect(tokens.issued).toBe(2);
  });

  it('ends the run where every token is refused', async () => {
    const tokens = new Tokens(() => true);
    registry.fault = (...all) => {
      const isAnswered = tokens.fault(...all);
      tokens.valid = 'never given out';
      return isAnswered;
    };

    expect((await push()).error).toMatchObject({
      code: 'OCI_UNAUTHORIZED',
      remedy: expect.stringContaining('check user and password') as string,
    });
    expect(tokens.issued).toBe(2);
  });
});

describe('a wrong password', () => {
  const wrong = basicHeader({ ...account, password: 'guessed' });

  /** Pulls forty images with it; how often it was shown, and how each image ended. */
  async function pullForty(): Promise<{ shown: number; most: number; codes: Set<string | undefined> }> {
    let [shown, active, most] = [0, 0, 0];
    const { fault } = registry;
    registry.fault = (asked, response, request) => {
      if (asked.authorization === wrong) {
        shown += 1;
        active += 1;
        most = Math.max(most, active);
        response.on('close', () => (active -= 1));
      }
      return fault?.(asked, response, request) ?? false;
    };
    const credentials = fixedCredentials({ [registry.host]: { ...account, password: 'guessed' } });
    const store = createRegistryStore({ patience: { baseDelayMs: 1, maxDelayMs: 5, attempts: 3 }, credentials });
    stores.push(store);
    const names = Array.from({ length: 40 }, (_, index) => parseReference(`${registry.host}/app${index}:v1`));
    const { images } = await copy(
      store,
      layout,
      names.map((name) => ({ from: name, to: name })),
    );
    return { shown, most, codes: new Set(images.map(({ error }) => error?.code)) };
  }

  it.each([
    ['basic', 'Basic realm="test"'],
    ['token', 'Bearer realm="http://REGISTRY/token",service="test"'],
  ])(
    'is shown three times at most, and never twice at once, however many images are asked for: %s',
    async (_, challenge) => {
      registry.fault = (_asked, response, request) => {
        request.resume();
        response.writeHead(401, { 'www-authenticate': challenge.replace('REGISTRY', registry.host) }).end();
        return true;
      };

      const { shown, most, codes } = await pullForty();

      expect(shown).toBeLessThanOrEqual(3);
      expect(shown).toBeGreaterThan(0);
      expect(most).toBe(1);
      expect([...codes]).toEqual(['OCI_UNAUTHORIZED']);
    },
  );
});
