import { createHmac } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { hostKeyAlgorithms } from './ssh-host-key.ts';
import { fingerprint, judgeHostKey, knownKeyTypes, parseKnownHosts, renderKnownHostsLine } from './known-hosts.ts';

/** A public key in wire format; its content is the letter. */
function key(letter: string, type = 'ssh-ed25519'): Buffer {
  const head = Buffer.alloc(4);
  head.writeUInt32BE(type.length);
  return Buffer.concat([head, Buffer.from(type), Buffer.from(letter)]);
}

function line(patterns: string, blob: Buffer, type = 'ssh-ed25519'): string {
  return `${patterns} ${type} ${blob.toString('base64')}`;
}

function hashed(name: string): string {
  const salt = Buffer.from('01234567890123456789');
  return `|1|${salt.toString('base64')}|${createHmac('sha1', salt).update(name).digest('base64')}`;
}

const a = key('a');
const b = key('b');
const rsa = key('r', 'ssh-rsa');

describe('judgeHostKey', () => {
  const cases: { name: string; text: string; address?: string; port?: number; key?: Buffer; kind: string }[] = [
    { name: 'an empty file', text: '', kind: 'unknown' },
    { name: 'a plain name', text: line('10.0.0.1', a), kind: 'known' },
    { name: 'another host only', text: line('10.0.0.2', a), kind: 'unknown' },
    { name: 'one name of a list', text: line('n1,10.0.0.1', a), kind: 'known' },
    { name: 'a name in capitals', text: line('Node1', a), address: 'nODE1', kind: 'known' },
    { name: 'a comment after the key', text: `${line('10.0.0.1', a)} root@n1`, kind: 'known' },
    { name: 'tabs and CRLF', text: `${line('10.0.0.1', a).replaceAll(' ', '\t')}\r\n`, kind: 'known' },
    { name: 'a hashed name', text: line(hashed('10.0.0.1'), a), kind: 'known' },
    { name: 'a hashed name of another host', text: line(hashed('10.0.0.2'), a), kind: 'unknown' },
    { name: 'a hashed name with a port', text: line(hashed('[10.0.0.1]:2222'), a), port: 2222, kind: 'known' },
    { name: 'a malformed hash', text: line('|1|x', a), kind: 'unknown' },
    { name: 'a name with a port', text: line('[10.0.0.1]:2222', a), port: 2222, kind: 'known' },
    { name: 'another port', text: line('[10.0.0.1]:2222', a), port: 2223, kind: 'unknown' },
    { name: 'a port where 22 is asked', text: line('[10.0.0.1]:2222', a), kind: 'unknown' },
    { name: 'the bare name where a port is asked, same key', text: line('10.0.0.1', a), port: 2222, kind: 'known' },
    { name: 'the bare name where a port is asked, other key', text: line('10.0.0.1', b), port: 2222, kind: 'unknown' },
    { name: 'an IPv6 address', text: line('fd00::1', a), address: 'FD00::1', kind: 'known' },
    { name: 'a star', text: line('10.0.0.*', a), kind: 'known' },
    { name: 'a star that does not fit', text: line('10.0.1.*', a), kind: 'unknown' },
    { name: 'a question mark', text: line('10.0.0.?', a), kind: 'known' },
    { name: 'a dot, which is no wildcard', text: line('10.0.0.1*', a), address: '10x0.0.1', kind: 'unknown' },
    { name: 'a star with a port', text: line('[10.*]:2222', a), port: 2222, kind: 'known' },
    { name: 'a negated name', text: line('10.0.0.*,!10.0.0.1', a), kind: 'unknown' },
    { name: 'a negated other name', text: line('10.0.0.*,!10.0.0.2', a), kind: 'known' },
    { name: 'another key of the same type', text: line('10.0.0.1', b), kind: 'changed' },
    { name: 'both the old and the new key', text: `${line('10.0.0.1', b)}\n${line('10.0.0.1', a)}`, kind: 'known' },
    { name: 'only a key of another type', text: line('10.0.0.1', rsa, 'ssh-rsa'), kind: 'changed' },
    { name: 'a revoked key', text: `@revoked ${line('10.0.0.1', a)}`, kind: 'revoked' },
    {
      name: 'a revoked key that is also recorded',
      text: `${line('10.0.0.1', a)}\n@revoked ${line('*', a)}`,
      kind: 'revoked',
    },
    { name: 'a revoked other key', text: `@revoked ${line('10.0.0.1', b)}`, kind: 'unknown' },
    { name: 'a key revoked for the bare name', text: `@revoked ${line('10.0.0.1', a)}`, port: 2222, kind: 'revoked' },
    { name: 'a certificate authority', text: `@cert-authority ${line('*', a)}`, kind: 'unknown' },
    { name: 'a comment', text: `# ${line('10.0.0.1', a)}`, kind: 'unknown' },
    { name: 'a key that is not of the type named', text: line('10.0.0.1', a, 'ssh-rsa'), kind: 'unknown' },
  ];

  it.each(cases)('with $name: $kind', ({ text, address = '10.0.0.1', port = 22, kind }) => {
    expect(judgeHostKey(parseKnownHosts(text), { address, port }, a).kind).toBe(kind);
  });

  it.each([
    ['a pattern in front', `${line('10.0.0.*', b)}\n${line('10.0.0.1', rsa, 'ssh-rsa')}`, 1],
    ['a plain name in front', `${line('10.0.0.1', b)}\n${line('10.0.0.*', key('c'))}`, 1],
    ['the name of another host in front', `${line('10.0.0.2', b)}\n${line('10.0.0.*', b)}`, 2],
  ])('names the first line that speaks of the host: %s', (_name, text, expected) => {
    const verdict = judgeHostKey(parseKnownHosts(text), { address: '10.0.0.1', port: 22 }, a);
    expect(verdict).toMatchObject({ kind: 'changed', entry: { line: expected } });
  });

  it('names the line of the old key, of the same type where there is one', () => {
    const text = `# comment\n${line('n1', rsa, 'ssh-rsa')}\n\n${line('n1', b)}\n`;
    expect(judgeHostKey(parseKnownHosts(text), { address: 'n1', port: 22 }, a)).toMatchObject({ entry: { line: 4 } });
  });
});

describe('parseKnownHosts', () => {
  it('says why it ignores a line', () => {
    const text = `@cert-authority ${line('*', a)}\n@other ${line('*', a)}\nn1 ssh-ed25519\n${line('n1', a, 'ssh-rsa')}`;
    expect(parseKnownHosts(text)).toEqual({
      entries: [],
      ignored: [
        { line: 1, reason: 'host certificates (@cert-authority) are not supported' },
        { line: 2, reason: 'the marker @other is not known' },
        { line: 3, reason: 'the line has no host, key type and key' },
        { line: 4, reason: 'the key is not a ssh-rsa key' },
      ],
    });
  });

  it('reads what renderKnownHostsLine writes', () => {
    for (const endpoint of [
      { address: 'N1', port: 22 },
      { address: 'fd00::1', port: 2222 },
    ]) {
      const known = parseKnownHosts(renderKnownHostsLine(endpoint, a));
      expect(judgeHostKey(known, endpoint, a).kind).toBe('known');
    }
  });
});

describe('hostKeyAlgorithms', () => {
  it.each([
    { types: [], first: ['ssh-ed25519', 'ecdsa-sha2-nistp256'] },
    { types: ['ssh-rsa'], first: ['rsa-sha2-512', 'rsa-sha2-256', 'ssh-ed25519'] },
    { types: ['ecdsa-sha2-nistp521', 'ssh-ed25519'], first: ['ecdsa-sha2-nistp521', 'ssh-ed25519'] },
    { types: ['ssh-dss', 'sk-ssh-ed25519@openssh.com'], first: ['ssh-ed25519'] },
  ])('offers $first first for a host known by $types', ({ types, first }) => {
    const offered = hostKeyAlgorithms(types);
    expect(offered.slice(0, first.length)).toEqual(first);
    expect(offered).toHaveLength(6);
    expect(new Set(offered).size).toBe(6);
  });

  it('asks by the keys of the bare name where the port has none of its own', () => {
    const known = parseKnownHosts(`${line('n1', rsa, 'ssh-rsa')}\n@revoked ${line('n1', a)}`);
    expect(knownKeyTypes(known, { address: 'n1', port: 2222 })).toEqual(['ssh-rsa']);
  });
});

describe('fingerprint', () => {
  it('is that of ssh-keygen -l', () => {
    const blob = Buffer.from('AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl', 'base64');
    // github.com, https://docs.github.com/authentication/keeping-your-account-and-data-secure/githubs-ssh-key-fingerprints
    expect(fingerprint(blob)).toBe('SHA256:+DiY3wvvV6TuJJhbpZisF/zLDA0zPMSvHdkr4UvCOqU');
  });
});
