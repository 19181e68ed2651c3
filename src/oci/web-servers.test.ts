import { describe, expect, it } from 'vitest';
import { loginHeader, serverOf } from './web-servers.ts';

describe('serverOf', () => {
  const servers = {
    'repo.example.com': 'usual',
    'repo.example.com:8443': 'other',
    '10.0.0.5:80': 'named',
    '[fd00::5]': 'six',
  };

  it.each([
    ['https://repo.example.com/a', 'usual'],
    ['https://REPO.example.com:443/a', 'usual'],
    ['http://repo.example.com/a', 'usual'],
    ['https://repo.example.com:8443/a', 'other'],
    ['https://repo.example.com:8444/a', undefined],
    ['http://10.0.0.5/a', 'named'],
    ['https://10.0.0.5/a', undefined],
    ['https://[fd00::5]/a', 'six'],
    ['https://sub.repo.example.com/a', undefined],
    ['https://constructor/a', undefined],
  ])('of %s is %s', (url, found) => {
    expect(serverOf(servers, new URL(url))).toBe(found);
  });
});

it.each([
  [{ username: 'reader', password: 'pässwörd: 1' }, `Basic ${Buffer.from('reader:pässwörd: 1').toString('base64')}`],
  [{ token: 'abc' }, 'Bearer abc'],
])('writes the header of a login', (login, header) => {
  expect(loginHeader(login)).toBe(header);
});
