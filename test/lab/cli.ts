// The lab by hand: node test/lab/cli.ts up|status|down
import { parseArgs } from 'node:util';
import { labDown } from './down.ts';
import { labUp } from './lab.ts';
import { labStatus, renderStatus } from './status.ts';
import { defaultLab } from './paths.ts';

const usage = `usage: lab:up     -- [--name lab] [--hosts 3] [--rpm-hosts 0] [--minors 1.36[,1.37]] [--no-upstream]
       lab:status -- [--name lab] [--json]
       lab:down   -- [--name lab]`;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  allowNegative: true,
  options: {
    name: { type: 'string', default: defaultLab },
    hosts: { type: 'string', default: '3' },
    'rpm-hosts': { type: 'string', default: '0' },
    minors: { type: 'string', default: '1.36' },
    upstream: { type: 'boolean', default: true },
    json: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});

const { name } = values;
const started = performance.now();
const seconds = (): string => ((performance.now() - started) / 1000).toFixed(1);
const log = (line: string): void => console.error(`${seconds().padStart(6)} s  ${line}`);

function countOf(option: 'hosts' | 'rpm-hosts'): number {
  const count = Number(values[option]);
  if (Number.isInteger(count) && count >= 0 && count <= 99) return count;
  throw new Error(`--${option} ${values[option]}: 0 to 99`);
}

async function up(): Promise<void> {
  const hosts = countOf('hosts');
  const rpmHosts = countOf('rpm-hosts');
  if (hosts + rpmHosts === 0) throw new Error('--hosts 0: a lab has at least one host');
  const lab = await labUp({ name, hosts, rpmHosts, minors: values.minors.split(','), upstream: values.upstream, log });
  const ssh = `ssh -i ${lab.keyFile} -o UserKnownHostsFile=${lab.knownHostsFile} -o StrictHostKeyChecking=yes`;
  console.log(`lab "${name}" is up (${seconds()} s)`);
  for (const host of lab.hosts) console.log(`  ${host.name}  ${ssh} ops@${host.address}`);
  const { upstream } = lab;
  if (upstream) {
    console.log(
      `upstream: Kubernetes ${upstream.versions.join(', ')}; registry ${upstream.registry}, downloads ${upstream.downloadsUrl}`,
    );
  } else {
    console.log('no upstream: the hosts have nothing to install from');
  }
  console.log(`cluster file: ${lab.configFile}`);
}

async function status(): Promise<void> {
  const found = await labStatus(name);
  console.log(values.json ? JSON.stringify(found, undefined, 2) : renderStatus(found));
}

async function down(): Promise<void> {
  const putBack = await labDown(name, log);
  for (const line of putBack) log(line);
  console.log(`lab "${name}" is down, nothing is left of it (${seconds()} s)`);
}

const commands: Readonly<Record<string, () => Promise<void>>> = { up, status, down };
const command = commands[positionals[0] ?? ''];
if (values.help || !command || positionals.length > 1) {
  console.error(usage);
  process.exitCode = values.help ? 0 : 2;
} else {
  await command().catch((error: unknown) => {
    console.error(error instanceof Error ? error.message : String(error));
    process.exitCode = 1;
  });
}
