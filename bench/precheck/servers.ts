import { createServer, type AddressInfo } from 'node:net';
import ssh2 from 'ssh2';
import { probeCommand, probeEnd } from '../../src/transport/ssh-privilege.ts';
import { generateKey } from '../../test/support/sshd-keys.ts';
import { delayed } from './delayed-socket.ts';
import { answerProbe } from './probe-answers.ts';
import { createRecorder } from './recorded-answers.ts';
import { hostOf } from './hosts.ts';

/**
 * SSH servers for many hosts in one process of their own: host N is the loopback address 127.1.x.y on one port. Prints one
 * line of JSON when they listen, and ends with its stdin. Argument: the delay of each direction in ms.
 */
const delayMs = Number(process.argv[2] ?? '50');
const hostKey = generateKey();
const userKey = generateKey();
const answer = createRecorder();

const ssh = new ssh2.Server({ hostKeys: [hostKey.privateKey] }, () => undefined);
ssh.on('connection', (connection, { ip }) => {
  connection.on('error', () => undefined);
  connection.on('authentication', (context) => {
    if (context.method === 'publickey' && context.key.data.equals(userKey.blob)) context.accept();
    else context.reject(['publickey']);
  });
  connection.on('session', (accept) => {
    const session = accept();
    session.once('exec', (acceptExec, _reject, { command }) => {
      const channel = acceptExec();
      channel.on('error', () => undefined);
      if (command === probeCommand) channel.write(`\ninstaller-probe uid 0\ninstaller-probe root\n${probeEnd}`);
      const script: Buffer[] = [];
      channel.on('data', (chunk: Buffer) => script.push(chunk));
      channel.on('end', () => {
        const text = Buffer.concat(script).toString('utf8');
        const given =
          text === '' ? Promise.resolve({ stdout: '', stderr: '' }) : (answerProbe(text) ?? answer(text, hostOf(ip)));
        void given.then(({ stdout, stderr }) => {
          channel.write(stdout);
          channel.stderr.write(stderr);
          channel.exit(0);
          channel.end();
        });
      });
    });
  });
});

const server = createServer((socket) => {
  const ip = socket.localAddress ?? '';
  void delayed(socket, delayMs).then((stream) => {
    // What ssh2 tells of a client is its address; here the server's own says which host is meant.
    ssh.injectSocket(Object.assign(stream, { remoteAddress: ip, remoteFamily: 'IPv4', remotePort: 0 }) as never);
  });
});
server.listen({ host: '0.0.0.0', port: 0, backlog: 1024 }, () => {
  const { port } = server.address() as AddressInfo;
  process.stdout.write(`${JSON.stringify({ port, hostKey: hostKey.publicKey, privateKey: userKey.privateKey })}\n`);
});
process.stdin.resume().on('end', () => process.exit(0));
