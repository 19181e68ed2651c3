import { Readable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { createAuthorizer, type TokenRequest } from './auth.ts';
import { coversScopes, formatScopes, parseChallenge } from './challenge.ts';
import { digestOf, isDigest } from './digest.ts';
import { connectionError, parseErrorBody, parseRetryAfter, statusError } from './http-errors.ts';
import { findEntry, namedEntry, parseLayoutIndex, referenceOf, renderLayoutIndex, withEntry } from './layout-index.ts';
import { blobsOf, parseManifest, toStoredManifest, type Descriptor } from './manifest.ts';
import { mediaTypes } from './media-types.ts';
import { formatPlatform, matchesPlatform, parsePlatform, selectPlatforms } from './platform.ts';
import { parseReference } from './reference.ts';
import { nameOfPath, parseRange } from './serve-names.ts';
import { createGate } from './serve-auth.ts';
import { parsePax, parseTarHeader } from './tar-index.ts';
import { checkBlob, readAll, verifying } from './verify.ts';

const digest = digestOf('a');
const descriptor: Descriptor = { mediaType: mediaTypes.ociManifest, digest, sizeBytes: 1 };

describe('isDigest', () => {
  it.each([
    [digest, true],
    [digestOf('a', 'sha512'), true],
    ['sha256:abc', false],
    [digest.toUpperCase(), false],
    [`md5:${'a'.repeat(32)}`, false],
    [`${digest}\n`, false],
  ])('of %j is %s', (text, expected) => {
    expect(isDigest(text)).toBe(expected);
  });
});

describe('parseManifest', () => {
  const read = (value: unknown, mediaType = ''): ReturnType<typeof parseManifest> =>
    parseManifest(
      toStoredManifest(Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)), mediaType),
      'it',
    );
  const entry = { mediaType: mediaTypes.ociLayerGzip, digest, size: 5, unknown: true };

  it('reads an image, and its blobs once each, foreign layers left out', () => {
    const foreign = {
      ...entry,
      mediaType: 'application/vnd.docker.image.rootfs.foreign.diff.tar.gzip',
      digest: digestOf('b'),
    };
    const manifest = read({ mediaType: mediaTypes.dockerManifest, config: entry, layers: [entry, entry, foreign] });

    expect(manifest).toMatchObject({ kind: 'image', mediaType: mediaTypes.dockerManifest });
    expect(manifest.kind === 'image' && blobsOf(manifest)).toEqual([
      { mediaType: entry.mediaType, digest, sizeBytes: 5 },
    ]);
  });

  it.each([
    ['by its own media type', { mediaType: mediaTypes.dockerIndex, manifests: [] }, ''],
    ['by what the registry said', { manifests: [] }, mediaTypes.ociIndex],
    ['by its fields', { manifests: [] }, 'application/json'],
  ])('knows an index %s', (_name, value, mediaType) => {
    expect(read(value, mediaType).kind).toBe('index');
  });

  it.each([
    ['<html>', 'not JSON'],
    ['[]', 'not a JSON object'],
    [{ schemaVersion: 1 }, 'schema version 1'],
    [{ schemaVersion: 2 }, 'neither a manifest nor an index'],
    [{ config: {} }, "'config' has no digest"],
    [{ config: { digest, size: -1 } }, "'config' has no size"],
    [{ config: { digest, size: 1.5 } }, "'config' has no size"],
    [{ config: entry, layers: [entry, { digest: 'sha256:x' }] }, "'layers[1]' has no digest"],
    [{ manifests: 'x', mediaType: mediaTypes.ociIndex }, "'manifests' is not a list"],
  ])('refuses %j', (value, why) => {
    expect(() => read(value)).toThrow(why);
  });
});

describe('platforms', () => {
  it.each([
    ['linux/amd64', 'linux/amd64', true],
    ['linux/arm64/v8', 'linux/arm64', true],
    ['linux/arm64', 'linux/arm64/v8', true],
    ['linux/arm/v6', 'linux/arm/v7', false],
    ['windows/amd64', 'linux/amd64', false],
  ])('what is made for %s runs on %s: %s', (have, want, expected) => {
    expect(matchesPlatform(parsePlatform(have), parsePlatform(want))).toBe(expected);
    expect(formatPlatform(parsePlatform(have))).toBe(have);
  });

  it.each(['', 'linux', 'linux/', '/amd64', 'linux/arm/', 'linux/arm/v7/x', 'Linux/amd64'])('refuses %j', (text) => {
    expect(() => parsePlatform(text)).toThrow('is not a platform');
  });

  it('leaves out what belongs to no platform, only where some are asked for', () => {
    const amd64 = { ...descriptor, platform: parsePlatform('linux/amd64') };
    const attestation = { ...descriptor, platform: { os: 'unknown', architecture: 'unknown' } };
    expect(selectPlatforms([amd64, attestation, descriptor], [parsePlatform('linux/amd64')])).toEqual([amd64]);
    expect(selectPlatforms([amd64, attestation, descriptor], undefined)).toHaveLength(3);
  });
});

describe('parseChallenge', () => {
  it.each([
    ['Basic realm="x"', { scheme: 'basic' }],
    ['basic', { scheme: 'basic' }],
    [
      'Bearer realm="https://a/token",service="s",scope="repository:a:pull"',
      { scheme: 'bearer', realm: 'https://a/token', service: 's' },
    ],
    ['bearer service=s, realm="https://a/t?x=1,2"', { scheme: 'bearer', realm: 'https://a/t?x=1,2', service: 's' }],
    ['Basic realm="x", Bearer realm="https://a"', { scheme: 'bearer', realm: 'https://a', service: undefined }],
    ['Negotiate', undefined],
    ['', undefined],
  ])('reads %j', (header, expected) => {
    expect(parseChallenge(header)).toEqual(expected);
  });
});

describe('scopes', () => {
  it('are sorted, each action once', () => {
    expect(formatScopes({ b: ['push', 'pull', 'pull'], a: ['pull'] })).toEqual([
      'repository:a:pull',
      'repository:b:pull,push',
    ]);
  });

  it.each([
    [{ a: ['pull', 'push'] }, { a: ['pull'] }, true],
    [{ a: ['pull'] }, { a: ['pull', 'push'] }, false],
    [{ a: ['pull'] }, { b: ['pull'] }, false],
    [{ a: ['pull'] }, {}, true],
  ])('%j cover %j: %s', (have, want, expected) => {
    expect(coversScopes(have, want)).toBe(expected);
  });
});

describe('createAuthorizer', () => {
  const bearer = { scheme: 'bearer', realm: 'https://auth.test/token?x=1', service: 'reg' } as const;
  const answering =
    (value: object, seen: string[]): TokenRequest =>
    (request) => {
      seen.push(`${request.method} ${request.url} ${request.headers['authorization'] ?? ''}${request.body ?? ''}`);
      return Promise.resolve({ status: 200, text: JSON.stringify(value) });
    };

  it('asks for one token a scope, at once or not, and anew when it is over', async () => {
    let now = 0;
    const seen: string[] = [];
    const authorizer = createAuthorizer(
      'reg',
      bearer,
      undefined,
      answering({ token: 't', expires_in: 100 }, seen),
      () => now,
    );

    await Promise.all([1, 2, 3].map(() => authorizer.headerFor({ a: ['pull', 'push'] })));
    expect(await authorizer.headerFor({ a: ['pull'] })).toBe('Bearer t');
    expect(seen).toEqual(['GET https://auth.test/token?x=1&service=reg&scope=repository%3Aa%3Apull%2Cpush ']);
    now = 95_000;
    await authorizer.headerFor({ a: ['pull'] });
    expect(seen).toHaveLength(2);
  });

  it('shows user and password, or exchanges an identity token, where it is no part of an address', async () => {
    const seen: string[] = [];
    const send = answering({ access_token: 't' }, seen);
    await createAuthorizer('reg', bearer, { username: 'u', password: 'p:w' }, send).headerFor({});
    await createAuthorizer('reg', bearer, { identityToken: 'id' }, send).headerFor({ a: ['pull'] });

    expect(seen[0]).toBe(
      `GET https://auth.test/token?x=1&service=reg Basic ${Buffer.from('u:p:w').toString('base64')}`,
    );
    expect(seen[1]).toMatch(
      /^POST https:\/\/auth.test\/token\?x=1 .*grant_type=refresh_token.*refresh_token=id&scope=repository%3Aa%3Apull$/,
    );
  });

  it.each([
    [{ status: 401, text: '' }, 'OCI_UNAUTHORIZED', 'answered 401'],
    [{ status: 503, text: '' }, 'OCI_SERVER_ERROR', 'answered 503'],
    [{ status: 200, text: '<html>' }, 'OCI_UNAUTHORIZED', 'gave no token'],
  ])('says who refused: %j', async (answer, code, says) => {
    const authorizer = createAuthorizer('reg', bearer, undefined, () => Promise.resolve(answer));
    await expect(authorizer.headerFor({})).rejects.toMatchObject({
      code,
      message: expect.stringContaining(says) as string,
    });
    // A failure is not kept.
    await expect(authorizer.headerFor({})).rejects.toMatchObject({ code });
  });
});

describe('answers that are errors', () => {
  it.each([
    ['120', 120_000],
    ['Thu, 01 Jan 1970 00:02:00 GMT', 60_000],
    ['Thu, 01 Jan 1970 00:00:00 GMT', 0],
    ['soon', undefined],
    ['', undefined],
    [null, undefined],
  ])('Retry-After %j waits %s ms', (header, expected) => {
    expect(parseRetryAfter(header, 60_000)).toBe(expected);
  });

  it.each([
    ['{"errors":[{"code":"DENIED","message":"no"}]}', [{ code: 'DENIED', message: 'no' }]],
    ['{"errors":[null]}', [{ code: 'UNKNOWN', message: '' }]],
    ['{"error":"x"}', []],
    ['<html>', []],
  ])('reads the body %s', (text, expected) => {
    expect(parseErrorBody(text)).toEqual(expected);
  });

  it.each([
    [400, '{"errors":[{"code":"DIGEST_INVALID"}]}', 'OCI_WRONG_DIGEST'],
    [404, '{"errors":[{"code":"MANIFEST_BLOB_UNKNOWN"}]}', 'OCI_NOT_FOUND'],
    [400, '{"errors":[{"code":"MANIFEST_BLOB_UNKNOWN"}]}', 'OCI_MANIFEST_INCOMPLETE'],
    [408, '', 'OCI_SERVER_ERROR'],
    [418, '', 'OCI_UNEXPECTED_STATUS'],
  ])('%d with %s is %s', (status, text, code) => {
    const answer = { status, text, contentType: '', retryAfterMs: undefined, isAnonymous: false };
    expect(statusError({ what: 'reading a', registry: 'reg' }, answer)).toMatchObject({ code, status });
  });

  it.each([
    ['DEPTH_ZERO_SELF_SIGNED_CERT', 'OCI_TLS'],
    ['ERR_SSL_WRONG_VERSION_NUMBER', 'OCI_TLS'],
    ['ENOTFOUND', 'OCI_UNKNOWN_HOST'],
    ['ECONNREFUSED', 'OCI_UNREACHABLE'],
    ['ECONNRESET', 'OCI_CONNECTION_LOST'],
  ])('a connection that fails with %s is %s', (code, expected) => {
    const error = Object.assign(new Error('x'), { code });
    expect(connectionError({ what: 'a', registry: 'reg' }, new Error('outer', { cause: error }))).toMatchObject({
      code: expected,
    });
  });
});

describe('the index of a layout', () => {
  const named = (name: string, letter = 'a'): Descriptor => ({
    ...descriptor,
    digest: digestOf(letter),
    annotations: { 'org.opencontainers.image.ref.name': name },
  });

  it.each([
    ['a whole name', 'registry.k8s.io/pause:3.10', 'registry.k8s.io/pause:3.10'],
    ['a name of Docker Hub', 'nginx:1', 'docker.io/library/nginx:1'],
    ['a tag alone', '3.10', 'registry.k8s.io/pause:3.10'],
  ])('finds %s', (_title, name, wanted) => {
    expect(findEntry([named('other', 'b'), named(name)], parseReference(wanted))?.digest).toBe(digest);
  });

  it('prefers a whole name to a tag, and finds no other', () => {
    const entries = [named('v1', 'b'), named('example.com/a:v1')];
    expect(findEntry(entries, parseReference('example.com/a:v1'))?.digest).toBe(digest);
    expect(findEntry(entries, parseReference('example.com/a:v2'))).toBeUndefined();
  });

  it('replaces an entry of the same name, and reads what it wrote', () => {
    const one = namedEntry(parseReference('example.com/a:v1'), descriptor);
    const other = namedEntry(parseReference('example.com/b:v1'), descriptor);
    const newer = namedEntry(parseReference('example.com/a:v1'), { ...descriptor, digest: digestOf('new') });
    const entries = [one, other, newer].reduce<Descriptor[]>(withEntry, []);

    expect(parseLayoutIndex(renderLayoutIndex(entries), 'it')).toEqual([newer, other]);
    expect(entries.map((entry) => referenceOf(entry).repository)).toEqual(['a', 'b']);
  });

  it('gives entries without a name one by which they are found', () => {
    expect(referenceOf(descriptor)).toMatchObject({ digest, repository: 'unnamed' });
    expect(referenceOf(named('v1'))).toMatchObject({ digest, tag: 'v1' });
  });

  it.each(['', '{}', '{"manifests":[{}]}'])('refuses %j', (text) => {
    expect(() => parseLayoutIndex(text, 'it')).toThrow();
  });
});

describe('tar', () => {
  it('reads a number of eight bytes and more, a prefix, and tells a broken header', () => {
    const header = Buffer.alloc(512);
    header.write('name', 0);
    header.write('ustar\0', 257);
    header.write('a/long/prefix', 345);
    header.writeUInt8(0x80, 124);
    header.writeBigUInt64BE(20_000_000_000n, 128);
    header.write('0', 156);
    const sum = header.reduce((total, byte, index) => total + (index >= 148 && index < 156 ? 32 : byte), 0);
    header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);

    expect(parseTarHeader(header)).toEqual({ name: 'a/long/prefix/name', sizeBytes: 20_000_000_000, type: '0' });
    header[0] = 0x7a;
    expect(parseTarHeader(header)).toBeInstanceOf(Error);
    expect(parseTarHeader(Buffer.alloc(512))).toBeUndefined();
  });

  it.each([
    ['19 path=some/where\n', [['path', 'some/where']]],
    [
      '12 size=123\n9 a=b=cd\n',
      [
        ['size', '123'],
        ['a', 'b=cd'],
      ],
    ],
    ['nonsense', []],
  ])('reads the records %j', (text, expected) => {
    expect([...parsePax(Buffer.from(text))]).toEqual(expected);
  });
});

describe('parseRange', () => {
  it.each([
    [undefined, 'whole'],
    ['bytes=0-9', { startByte: 0, endByte: 10 }],
    ['bytes=5-', { startByte: 5, endByte: 100 }],
    ['bytes=-1000', { startByte: 0, endByte: 100 }],
    ['bytes=90-1000', { startByte: 90, endByte: 100 }],
    ['bytes=100-', 'invalid'],
    ['bytes=-0', 'invalid'],
    ['bytes=9-5', 'invalid'],
    ['bytes=0-1,5-6', 'whole'],
    ['lines=0-1', 'whole'],
  ])('reads %j', (header, expected) => {
    expect(parseRange(header, 100)).toEqual(expected);
  });
});

describe('nameOfPath', () => {
  const known = [parseReference('registry.k8s.io/pause:3.10'), parseReference('quay.io/a/b:v1')];
  it.each([
    ['pause', null, 'registry.k8s.io/pause'],
    ['a/b', null, 'quay.io/a/b'],
    ['pause', 'docker.io', 'docker.io/library/pause'],
    ['quay.io/a/b', null, 'quay.io/a/b'],
    ['library/nginx', null, 'docker.io/library/nginx'],
    ['../etc', null, undefined],
    ['a', 'b c', undefined],
  ])('%s with ns %s is %s', (path, ns, expected) => {
    const name = nameOfPath(path, ns, known);
    expect(name && `${name.registry}/${name.repository}`).toBe(expected);
  });
});

describe('createGate', () => {
  const account = { username: 'alice', password: 'a:b' };
  const basic = (text: string): string => `Basic ${Buffer.from(text).toString('base64')}`;

  it('lets in who knows the account, and nobody else', () => {
    const gate = createGate({ ...account, scheme: 'basic' });
    const given = [basic('alice:a:b'), basic('alice:a'), basic(''), 'Bearer x', undefined];
    for (const what of ['registry', 'file'] as const) {
      expect(given.map((header) => gate.isOpen(header, what))).toEqual([true, false, false, false, false]);
    }
  });

  it('gives tokens that end, and takes none that it did not give', () => {
    let now = 1_000_000;
    const gate = createGate({ ...account, scheme: 'token' }, () => now);
    const { token } = JSON.parse(gate.issue(basic('alice:a:b')) ?? '{}') as { token: string };
    const later = token.replace(/^\d+/, `${now * 2}`);

    expect(gate.issue(basic('alice:wrong'))).toBeUndefined();
    const given = [`Bearer ${token}`, `Bearer ${later}`, basic('alice:a:b')];
    expect(given.map((header) => gate.isOpen(header, 'registry'))).toEqual([true, false, false]);
    now += 301_000;
    expect(gate.isOpen(`Bearer ${token}`, 'registry')).toBe(false);
  });

  it('asks for the account where files are asked for, whose clients know no tokens', () => {
    const gate = createGate({ ...account, scheme: 'token' });

    expect(gate.challenge('http://h', 'registry')).toBe('Bearer realm="http://h/token",service="installer"');
    expect(gate.challenge('http://h', 'file')).toBe('Basic realm="installer"');
    const given = [basic('alice:a:b'), basic('alice:a'), undefined];
    expect(given.map((header) => gate.isOpen(header, 'file'))).toEqual([true, false, false]);
  });
});

describe('verification', () => {
  const bytes = Buffer.from('some bytes');
  const blob = { digest: digestOf(bytes), sizeBytes: bytes.length };

  it.each([
    ['other bytes', Buffer.from('SOME bytes'), 'OCI_WRONG_DIGEST'],
    ['too many bytes', Buffer.from('some bytes!'), 'OCI_WRONG_SIZE'],
    ['too few bytes', Buffer.from('some'), 'OCI_CONNECTION_LOST'],
  ])('refuses %s', async (_name, given, code) => {
    const stream = verifying(Readable.from([given.subarray(0, 3), given.subarray(3)]), blob, 'the source');
    await expect(readAll(stream, 100, 'x', 'y')).rejects.toMatchObject({ code });
  });

  it('passes the right ones, also none at all', async () => {
    expect(await readAll(verifying(Readable.from([bytes]), blob, 'x'), 100, 'x', 'y')).toEqual(bytes);
    const nothing = { digest: digestOf(''), sizeBytes: 0 };
    expect(await readAll(verifying(Readable.from([]), nothing, 'x'), 100, 'x', 'y')).toHaveLength(0);
  });

  it('blames the part that was there before where a continued blob is wrong', () => {
    const check = checkBlob(blob, 'x', 4);
    expect(() => check.take(bytes.subarray(4))).toThrow(expect.objectContaining({ code: 'OCI_PARTIAL_DAMAGED' }));
  });
});
