import { z } from 'zod';
import type { Check } from './formats.ts';
import { path, secretSource, text } from './schema-values.ts';

/** As basic authentication carries it (RFC 7617), and as one word of a file. */
const checkServerUser: Check = (value) =>
  /^[^\s\p{Cc}:]+$/u.test(value) ? undefined : 'must be one word without ":" and control characters';

const credentials = z
  .strictObject({
    username: text(checkServerUser, 'user name').optional().describe('User of the server.'),
    password: secretSource.optional().describe('Password of the user.'),
    token: secretSource.optional().describe('Token in place of both, sent as `Authorization: Bearer`.'),
  })
  .check((context) => {
    const { username, password, token } = context.value;
    const isLogin = username !== undefined && password !== undefined && token === undefined;
    const isToken = username === undefined && password === undefined && token !== undefined;
    if (isLogin || isToken) return;
    context.issues.push({
      code: 'custom',
      message: 'give username and password, or token alone',
      input: context.value,
    });
  });

/** One of spec.artifacts.servers. */
export const server = z.strictObject({
  ca: path.optional().describe('PEM file with the certificate authority of the server, trusted for this one alone.'),
  credentials: credentials
    .optional()
    .describe('Login at the server. It is not shown to a host that the server redirects to.'),
});
